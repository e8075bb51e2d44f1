"""Dashboards as files that Grafana provisions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from balance_grafana import deliveries, imbalance

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"


def dashboards() -> Mapping[str, Dashboard]:
    """Every dashboard by the name of its file."""
    return {"deliveries": deliveries.dashboard(), "imbalance": imbalance.dashboard()}


def texts() -> Mapping[Path, str]:
    """What the files are to hold."""
    return {
        FOLDER / f"{name}.json": json.dumps(
            made.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
        for name, made in dashboards().items()
    }


def stale() -> list[Path]:
    """Files that are missing or differ from their code."""
    return [path for path, text in texts().items() if not path.is_file() or path.read_text("utf-8") != text]


def write() -> None:
    """Write every file anew."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in texts().items():
        path.write_text(text, "utf-8")
