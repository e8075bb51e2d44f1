"""`make bench-vee`: labelled simulated fields and the real dirty file through the real services.

Findings false and missed by rule, estimates and moved hours against what really happened, forecasts of
batteries against their deaths. Writes `docs/proof/vee.json` and `.md` for the large size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from balance_simulator.field.plan import FieldPlan

from balance_bench import proof, vee_estimates, vee_judging, vee_play, vee_real, vee_words
from balance_bench.vee_estimates import Estimated
from balance_bench.vee_judging import Judged
from balance_bench.vee_real import Real

FIRST_SEED = 20_260_901
"""No rule was looked at with these seeds."""


@dataclass(frozen=True)
class Size:
    """So many fields, one after the other, each of a seed of its own; and whether the real file is played."""

    fields: int
    modules: int
    groups: int
    days: int
    real: bool


SIZES = {
    "small": Size(fields=1, modules=72, groups=9, days=30, real=False),
    "medium": Size(fields=4, modules=100, groups=9, days=120, real=True),
    "large": Size(fields=10, modules=200, groups=9, days=120, real=True),
}


@dataclass
class Sum:
    """Of all fields."""

    judged: Judged
    estimated: Estimated
    packets: int = 0
    seconds: float = 0.0
    machine: Mapping[str, Any] = field(default_factory=dict)


def main() -> None:
    """Play, judge, show, and write the proof."""
    chosen = proof.chosen("vee", __doc__, SIZES)
    size = SIZES[chosen.size]
    total = Sum(Judged(), Estimated())
    for number in range(size.fields):
        _add(total, size, FIRST_SEED + number)
    real = vee_real.play() if size.real else None
    report = {**flat(total, real, chosen.size, size), **total.machine}
    proof.write(chosen, report, vee_words.page(report, total.judged, total.estimated, real))
    if total.estimated.inexact:
        sys.exit("totals of gaps that are not the truth:\n" + "\n".join(total.estimated.inexact))


def _add(total: Sum, size: Size, seed: int) -> None:
    started = time.monotonic()
    plan = FieldPlan(modules=size.modules, groups=size.groups, days=size.days, seed=seed)
    played = vee_play.play(plan)
    judged, estimated = vee_judging.judge(played), vee_estimates.compare(played)
    total.judged.add(judged)
    total.estimated.add(estimated)
    total.packets += played.packets
    total.seconds += played.seconds
    total.machine = played.machine
    false, missed = sum(judged.false_kinds.values()), sum(judged.missed_kinds.values())
    print(
        f"seed {seed}: {played.packets:,} packets, {false} false, {missed} missed, "
        f"{time.monotonic() - started:.0f} s",
        flush=True,
    )
    for why, count in (judged.false_kinds + judged.missed_kinds).items():
        print(f"  {count} × {why}: {judged.examples[why]}", flush=True)


def flat(total: Sum, real: Real | None, name: str, size: Size) -> dict[str, Any]:
    """Everything that is counted, flat, with units in the keys."""
    judged, estimated = total.judged, total.estimated
    report: dict[str, Any] = {
        "size": name,
        "fields": size.fields,
        "modules_a_field": size.modules,
        "days": size.days,
        "seeds": [FIRST_SEED + number for number in range(size.fields)],
        "packets": total.packets,
        "played_seconds": round(total.seconds),
        "labels": judged.labels.total(),
        "labels_found": judged.found.total(),
        "labels_missed": judged.labels.total() - judged.found.total(),
        "findings": sum(counts.total() for counts in judged.findings.values()),
        "findings_false": judged.false_kinds.total(),
    }
    for rule in sorted({*judged.labels, *judged.findings}):
        key, counts = rule.replace(".", "_"), judged.findings[rule]
        report[f"{key}_labels"] = judged.labels[rule]
        report[f"{key}_found"] = judged.found[rule]
        report[f"{key}_missed"] = judged.labels[rule] - judged.found[rule]
        for why in (vee_judging.LABEL, vee_judging.CONSEQUENCE, vee_judging.TRAP, vee_judging.FALSE):
            report[f"{key}_findings_{why}"] = counts[why]
    report |= {
        "gap_totals_exact": estimated.exact,
        "gap_totals_inexact": len(estimated.inexact),
        "gap_totals_not_comparable": estimated.not_comparable,
    }
    for (resource, length), errors in sorted(estimated.errors.items()):
        key = "_".join((resource, *length.replace("–", "_to_").split())).lower()
        report[f"gaps_{key}"] = errors.gaps
        of = {
            f"error_{key}_{name}": values for name, values in vars(errors).items() if isinstance(values, list)
        }
        report |= vee_estimates.figures(of)
    for what, shares in sorted(estimated.clock.items()):
        report[f"clock_error_{what}_median_percent"] = round(100 * median(shares), 1)
    report["clock_meters"] = sum(len(v) for key, v in estimated.clock.items() if key.endswith("moved_hours"))
    days = estimated.battery_days
    report["battery_forecasts"] = len(days)
    report["battery_forecast_off_most_days"] = round(max(map(abs, days)), 2) if days else None
    if real is not None:
        report |= {
            "real_homes": real.homes,
            "real_readings": real.readings,
            "real_known": real.known.total(),
            "real_found": real.found.total(),
            "real_others": real.others.total(),
            "real_missing_days": real.missing_days,
        }
    return report


if __name__ == "__main__":
    main()
