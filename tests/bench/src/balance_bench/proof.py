"""What every bench does with its figures: shows them, and keeps those of the large size."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from balance_local import paths


@dataclass(frozen=True)
class Chosen:
    """A bench's name, the size asked for, and the folder its proof goes to, if any."""

    name: str
    size: str
    into: Path | None


def chosen(name: str, says: str | None, sizes: Iterable[str]) -> Chosen:
    """Read the command line: `--size`, `--into`. The large size is kept in `docs/proof`."""
    parser = argparse.ArgumentParser(description=says)
    parser.add_argument("--size", choices=sorted(sizes), default="large")
    parser.add_argument("--into", type=Path, help=f"folder of {name}.json and {name}.md")
    given = parser.parse_args()
    kept = paths.CHECKOUT / "docs" / "proof" if given.size == "large" else None
    return Chosen(name, given.size, given.into or kept)


def write(chosen: Chosen, report: Mapping[str, Any], page: str) -> None:
    """Show the report; keep it and its page where asked."""
    text = json.dumps(report, indent=2, ensure_ascii=False)
    print(text, flush=True)
    if chosen.into is not None:
        chosen.into.mkdir(parents=True, exist_ok=True)
        (chosen.into / f"{chosen.name}.json").write_text(text + "\n")
        (chosen.into / f"{chosen.name}.md").write_text(page)


def say(repetition: int, taken: Mapping[str, float], readings: int) -> None:
    """A line a repetition: readings a second of each way, of the seconds it took."""
    shown = ", ".join(f"{way} {readings / seconds:,.0f}/s" for way, seconds in taken.items())
    print(f"{'warm-up' if not repetition else f'repetition {repetition}'}: {shown}", flush=True)


def processor_seconds(report: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of processor of each process."""
    return {
        key.removeprefix("processor_").removesuffix("_seconds").replace("_", " "): seconds
        for key, seconds in report.items()
        if key.startswith("processor_")
    }


def processor_rows(report: Mapping[str, Any]) -> list[str]:
    """The same as rows of a table with shares, the greatest first."""
    used = processor_seconds(report)
    total = sum(used.values()) or 1.0
    ordered = sorted(used.items(), key=lambda item: -item[1])
    return [f"| {title} | {seconds:.1f} | {seconds / total:.0%} |" for title, seconds in ordered]


def steps(report: Mapping[str, Any], of: str) -> list[str]:
    """Shares of the steps as lines of a page: samples `of` something; none where nothing was sampled."""
    found = {key: share for key, share in report.items() if key.startswith("step_")}
    if not found:
        return []
    rows = [
        f"| {key.removeprefix('step_').removesuffix('_percent').replace('_', ' ')} | {share:.1f} % |"
        for key, share in found.items()
    ]
    return [f"Samples of {of}, in a repetition of its own:", "", "| step | share |", "|---|---:|", *rows, ""]
