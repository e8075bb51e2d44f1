"""`make bench-onset`: onsets and hourly alarms that healthy groups raise, and leaks that are found.

The service's own rules (docs/domain.md §8) on a year of simulated healthy groups, as heard whole and with
homes silent now and then; then the same with leaks; and on ideal noise. Writes `docs/proof/onset.json` and
`.md` for the large size.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from balance_imbalance.domain.baseline import WatchedDay
from balance_imbalance.domain.onset import Followed, State, follow
from balance_imbalance.domain.onset_rules import OnsetRules
from balance_simulator.field.plan import FieldPlan

from balance_bench import onset_words, proof
from balance_bench.onset_fleet import Series, leaking, series

SEED = 20_261_021
RULES = OnsetRules()
LEAKS = (0.01, 0.02, 0.05, 0.10)
"""Of the group's mean supply."""
BURST = 0.5
"""Of the group's mean supply of an hour."""
FOUND_WITHIN_DAYS = 30
_FIRST_LEAK_DAY = 90


@dataclass(frozen=True)
class Size:
    """So many fields one after the other, each of so many groups of about twenty modules and so many days;
    and so many group-years of ideal noise.
    """

    fields: int
    groups: int
    days: int
    ideal_years: int


SIZES = {
    "small": Size(fields=1, groups=4, days=150, ideal_years=10),
    "medium": Size(fields=1, groups=40, days=365, ideal_years=200),
    "large": Size(fields=2, groups=60, days=365, ideal_years=2000),
}


@dataclass
class Judged:
    """What groups without leaks raised, in so many group-years of which a baseline was there."""

    years: float = 0.0
    onsets: int = 0
    ended: int = 0
    alarms: int = 0

    def add(self, days: Sequence[WatchedDay], followed: Followed) -> None:
        """One group."""
        self.years += max(len(days) - RULES.least_days, 0) / 365.25
        self.onsets += len(followed.onsets)
        self.ended += sum(onset.ended is not None for onset in followed.onsets.values())
        self.alarms += len(followed.alarms)


@dataclass
class Found:
    """Leaks of one size: days to the alarm of those found, errors of the size, and how many there were."""

    tried: int = 0
    delays: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)


def main() -> None:
    """Measure, show, and write the proof."""
    chosen = proof.chosen("onset", __doc__, SIZES)
    size = SIZES[chosen.size]
    started = time.monotonic()
    report = measure(size)
    report["seconds"] = round(time.monotonic() - started, 1)
    proof.write(chosen, report, onset_words.page(report))


def measure(size: Size) -> dict[str, Any]:
    """The figures of a size, flat."""
    heard, silent = Judged(), Judged()
    leaks, hidden = ({share: Found() for share in LEAKS} for _ in range(2))
    burst = Found()
    random = np.random.default_rng(SEED)
    for number in range(size.fields):
        plan = FieldPlan(
            modules=20 * size.groups, groups=size.groups, days=size.days, seed=SEED + number, faults=()
        )
        for group in series(plan):
            _judge(group, heard, silent)
            for share in LEAKS:
                first = int(random.integers(_FIRST_LEAK_DAY, size.days - 35))
                _leak(group.heard, share, first, leaks[share])
                _leak(group.silent, share, first, hidden[share])
            _burst(group.heard, int(random.integers(_FIRST_LEAK_DAY, size.days - 35)), burst)
    ideal = _ideal(random, size.ideal_years)
    return {
        "groups": size.fields * size.groups,
        "days": size.days,
        "seed": SEED,
        **_rates("healthy", heard),
        **_rates("healthy_with_silence", silent),
        "ideal_noise_group_years": round(ideal.years, 1),
        "ideal_noise_onsets_per_group_year": round(ideal.onsets / ideal.years, 4),
        "found_within_days": FOUND_WITHIN_DAYS,
        "leak_percents": [round(100 * share) for share in LEAKS],
        **_leaks("leaks", leaks),
        **_leaks("leaks_with_silence", hidden),
        "bursts_tried": burst.tried,
        "bursts_alarmed_percent": _percent(len(burst.delays), burst.tried),
    }


def _judge(group: Series, heard: Judged, silent: Judged) -> None:
    for days, judged in ((group.heard, heard), (group.silent, silent)):
        judged.add(days, follow(State(), [], days, RULES))


def _leak(days: list[WatchedDay], share: float, first: int, found: Found) -> None:
    per_hour = share * _mean_supply(days)
    if not per_hour:
        return
    found.tried += 1
    followed = follow(State(), [], list(leaking(days, first, per_hour)), RULES)
    start = days[first].number
    for onset in followed.onsets.values():
        if onset.side.name == "RISE" and start <= onset.alarmed <= start + FOUND_WITHIN_DAYS:
            found.delays.append(onset.alarmed - start)
            found.errors.append(onset.size_per_day / (24 * per_hour) - 1)
            return


def _burst(days: list[WatchedDay], first: int, found: Found) -> None:
    per_hour = BURST * _mean_supply(days)
    if not per_hour:
        return
    found.tried += 1
    followed = follow(State(), [], list(leaking(days, first, per_hour, hour=13)), RULES)
    start_s = days[first].start_s + 13 * 3600
    if any(start_s <= alarm.start_s <= start_s + 3600 for alarm in followed.alarms.values()):
        found.delays.append(0)


def _mean_supply(days: Sequence[WatchedDay]) -> float:
    """Base units an hour."""
    supplies = [day.supply / len(day.hour_imbalance) for day in days if day.supply is not None]
    return sum(supplies) / len(supplies) if supplies else 0.0


def _ideal(random: np.random.Generator, years: int) -> Judged:
    """Groups whose imbalance is a constant, a share of the supply, and normal noise of 1 % of the supply."""
    judged = Judged()
    nothing = np.full(24, np.nan)
    for _ in range(years):
        supply = 1e6 * (1 + 0.2 * random.standard_normal(365)).clip(0.3)
        imbalance = 1e4 + 0.02 * supply + 0.01 * supply * random.standard_normal(365)
        days = [
            WatchedDay(1 + n, 86_400 * n, s, d, 0.0, nothing, np.zeros(24), np.arange(24))
            for n, (s, d) in enumerate(zip(supply.tolist(), imbalance.tolist(), strict=True))
        ]
        judged.add(days, follow(State(), [], days, RULES))
    return judged


def _rates(name: str, judged: Judged) -> dict[str, Any]:
    return {
        f"{name}_group_years": round(judged.years, 1),
        f"{name}_onsets": judged.onsets,
        f"{name}_onsets_per_group_year": round(judged.onsets / judged.years, 4),
        f"{name}_onsets_ended_percent": _percent(judged.ended, judged.onsets),
        f"{name}_hour_alarms": judged.alarms,
        f"{name}_hour_alarms_per_group_year": round(judged.alarms / judged.years, 4),
    }


def _leaks(kind: str, leaks: Mapping[float, Found]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for share, found in leaks.items():
        name = f"{kind}_of_{round(100 * share)}_percent"
        said[f"{name}_tried"] = found.tried
        said[f"{name}_found_percent"] = _percent(len(found.delays), found.tried)
        said[f"{name}_days_to_alarm"] = median(found.delays) if found.delays else None
        errors = [abs(error) for error in found.errors]
        said[f"{name}_size_error_percent"] = round(100 * median(errors), 1) if errors else None
    return said


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


if __name__ == "__main__":
    main()
