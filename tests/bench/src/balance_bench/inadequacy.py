"""`make bench-inadequacy`: which homes are found that take gas past the meter, and which are flagged falsely.

Simulated buildings with rooms and weather through the real tables, steps and SQL of imbalance; then the list
of a fleet, timed. Writes `docs/proof/inadequacy.json` and `.md` for the large size.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from balance_simulator.field.plan import FieldPlan

from balance_bench import inadequacy_fleet, inadequacy_words, machine, proof
from balance_bench.inadequacy_play import Plan, Seen, database, home_of, play

FIRST_SEED = 20_261_100
"""No rule was looked at with these seeds."""
ZONE = "Europe/Chisinau"
DEPTH = 7


@dataclass(frozen=True)
class Size:
    """So many fields of so many modules, each a winter; and a fleet of homes with so many days."""

    fields: int
    modules: int
    groups: int
    first_day: date
    days: int
    cut_at: int
    fleet: int
    fleet_days: int


SIZES = {
    "small": Size(1, 96, 2, date(2025, 12, 1), 62, 52, 1_000, 40),
    "medium": Size(2, 300, 6, date(2025, 10, 1), 130, 100, 10_000, 60),
    "large": Size(4, 400, 9, date(2025, 10, 1), 151, 100, 67_000, 60),
}
UNTOUCHED, OTHERWISE, AT_30, AT_70 = "untouched", "heated otherwise", "30 %", "70 %"
KINDS = (UNTOUCHED, OTHERWISE, AT_30, AT_70)


@dataclass
class Judged:
    """Of all fields, by kind of home. A home-day is a home on a day on which it was asked for."""

    homes: Counter[str] = field(default_factory=Counter)
    home_days: Counter[str] = field(default_factory=Counter)
    computable_days: Counter[str] = field(default_factory=Counter)
    flagged_days: Counter[str] = field(default_factory=Counter)
    ever_flagged: Counter[str] = field(default_factory=Counter)
    by_own_past: Counter[str] = field(default_factory=Counter)
    """Flagged home-days on which the own past alone would have done."""
    lossless: Counter[str] = field(default_factory=Counter)
    """Flagged home-days whose group is within tolerance."""
    with_loss: Counter[str] = field(default_factory=Counter)
    warm: Counter[str] = field(default_factory=Counter)
    """Homes computable on the seventh day of the cut: with a room above 19 °C."""
    within_seven: Counter[str] = field(default_factory=Counter)
    """Homes flagged by the seventh day of the cut, of those."""
    after: list[int] = field(default_factory=list)
    """Days from the cut to the first flag, of homes at 30 %."""
    reasons: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def add(self, seen: Seen, cut_at: int) -> None:
        """Count one field in."""
        kinds = [_kind(h, s) for h, s in zip(seen.heated, seen.shares, strict=True)]
        self.homes.update(kinds)
        self.rows += seen.rows
        flagged_on: dict[int, list[int]] = {}
        for index, table in seen.tables.items():
            for row in table:
                home = home_of(row["usage_point_id"])
                self._count(row, _kind_on(kinds[home], index, cut_at))
                if row["is_flagged"]:
                    flagged_on.setdefault(home, []).append(index)
        judged = {home_of(row["usage_point_id"]): row for row in seen.tables[cut_at + DEPTH - 1]}
        for home, kind in enumerate(kinds):
            days = [
                day for day in flagged_on.get(home, []) if kind in (UNTOUCHED, OTHERWISE) or day >= cut_at
            ]
            self.ever_flagged[kind] += bool(days)
            if judged[home]["k"] is not None:
                self.warm[kind] += 1
                self.within_seven[kind] += bool(days) and days[0] < cut_at + DEPTH
            if kind == AT_30 and days:
                self.after.append(days[0] - cut_at + 1)

    def _count(self, row: Mapping[str, Any], kind: str) -> None:
        self.home_days[kind] += 1
        self.computable_days[kind] += row["k"] is not None
        if row["reason"]:
            self.reasons[row["reason"].removeprefix("not computable: ").partition(":")[0]] += 1
        if row["is_flagged"]:
            self.flagged_days[kind] += 1
            self.by_own_past[kind] += (row["k_own"] or 0) >= 0.5
            self.lossless[kind] += row["group_verdict"] == "WITHIN_TOLERANCE"
            self.with_loss[kind] += row["group_verdict"] == "LOSS"


def main() -> None:
    """Play, judge, time, show, and write the proof."""
    chosen = proof.chosen("inadequacy", __doc__, SIZES)
    size = SIZES[chosen.size]
    judged, about = Judged(), dict[str, Any]()
    for number in range(size.fields):
        plan = FieldPlan(
            modules=size.modules,
            groups=size.groups,
            days=size.days,
            first_day=size.first_day,
            seed=FIRST_SEED + number,
            faults=(),
            zone=ZONE,
        )
        started = time.monotonic()
        with database(f"bench_inadequacy_{number}", ZONE) as (dsn, pool, calendar):
            judged.add(play(Plan(plan, size.cut_at), pool, calendar), size.cut_at)
            about = machine.described(dsn)
        print(f"field {number + 1}: {time.monotonic() - started:.0f} s", flush=True)
    with database("bench_inadequacy_fleet", ZONE) as (dsn, pool, calendar):
        timed = inadequacy_fleet.measure(dsn, pool, calendar, size.fleet, size.fleet_days)
    report = {"size": chosen.size, **flat(judged, size), **told(timed), **about}
    proof.write(chosen, report, inadequacy_words.page(report, judged, timed))


def flat(judged: Judged, size: Size) -> dict[str, Any]:
    """Figures of the fields."""
    report: dict[str, Any] = {
        "fields": size.fields,
        "days": size.days,
        "homes": sum(judged.homes.values()),
        "rows": judged.rows,
        "days_to_first_flag_median": _median(judged.after),
        "days_to_first_flag_most": max(judged.after, default=None),
    }
    for kind in KINDS:
        name = kind.replace(" %", "_percent").replace(" ", "_")
        report |= {
            f"{name}_homes": judged.homes[kind],
            f"{name}_home_days": judged.home_days[kind],
            f"{name}_home_days_computable": judged.computable_days[kind],
            f"{name}_home_days_flagged": judged.flagged_days[kind],
            f"{name}_home_days_flagged_by_own_past": judged.by_own_past[kind],
            f"{name}_home_days_flagged_without_loss": judged.lossless[kind],
            f"{name}_homes_ever_flagged": judged.ever_flagged[kind],
            f"{name}_homes_warm": judged.warm[kind],
            f"{name}_homes_flagged_within_seven_days": judged.within_seven[kind],
        }
    return report


def told(timed: inadequacy_fleet.Timed) -> dict[str, Any]:
    """Figures of the fleet."""
    return {
        "fleet_homes": timed.homes,
        "fleet_days": timed.days,
        **{
            f"seconds_{name.replace(', ', '_').replace(' ', '_')}": round(s, 3)
            for name, s in timed.questions.items()
        },
        **{
            f"processor_seconds_{name.replace(', ', '_').replace(' ', '_')}": round(s, 2)
            for name, s in timed.processor.items()
        },
        "seconds_night": round(timed.night_s, 1),
        "night_rows": timed.night_rows,
    }


def _kind(heated: bool, share: float) -> str:
    if share < 1:
        return AT_30 if share < 0.5 else AT_70
    return UNTOUCHED if heated else OTHERWISE


def _kind_on(kind: str, index: int, cut_at: int) -> str:
    """Before its cut a home is like any; while the depth still holds days before it, neither."""
    if kind in (AT_30, AT_70):
        return UNTOUCHED if index < cut_at else kind
    return kind


def _median(values: Sequence[int]) -> int | None:
    return sorted(values)[len(values) // 2] if values else None


if __name__ == "__main__":
    main()
