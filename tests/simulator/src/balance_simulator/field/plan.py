"""What a field is made of: how many of what, for how long, with which faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from balance_simulator.checking import Expected, Problems
from balance_simulator.field.fault_kinds import KINDS
from balance_simulator.localtime import Days, zone_name

MOST_MODULES, MOST_GROUPS, MOST_DAYS = 67_000, 1_200, 366
YEARS = 2000, 2098
"""Of the first day; packets are received in 2000 to 2099."""
NO_FAULTS, ALL_FAULTS = "none", "all"
HOMES_A_GROUP = 56
"""Usual size of a group, when their number is not given."""


@dataclass(frozen=True)
class FieldPlan:
    """A field. `faults` names kinds of `fault_kinds.KINDS`; zone and start hour are the metering calendar's.

    Raises ScenarioError with everything that cannot be.
    """

    modules: int = 240
    groups: int = 4
    days: int = 30
    first_day: date = date(2025, 11, 1)
    seed: int = 7
    faults: tuple[str, ...] = tuple(KINDS)
    zone: str = "Europe/Chisinau"
    day_start_hour: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be, all at once."""
        problems = Problems()
        for name, value, low, high in (
            ("modules", self.modules, 1, MOST_MODULES),
            ("groups", self.groups, 0, MOST_GROUPS),
            ("days", self.days, 1, MOST_DAYS),
            ("seed", self.seed, 0, 2**31),
            ("day_start_hour", self.day_start_hour, 0, 23),
        ):
            if not low <= value <= high:
                problems.note(name, f"a number from {low} to {high}", value)
        if self.groups > 0 and self.modules < 4 * self.groups:
            problems.note("groups", f"at most {self.modules // 4}, four modules a group", self.groups)
        try:
            zone_name(self.zone)
        except Expected as error:
            problems.note("zone", error.expected, self.zone)
        if not YEARS[0] <= self.first_day.year <= YEARS[1]:
            problems.note("from", f"a day of the years {YEARS[0]} to {YEARS[1]}", f"{self.first_day}")
        unknown = [name for name in self.faults if name not in KINDS]
        if unknown:
            problems.note("faults", f"all, none or kinds of {', '.join(KINDS)}", ", ".join(unknown))
        problems.stop("the field")

    @property
    def calendar(self) -> Days:
        """Its metering days."""
        return Days(self.zone, self.day_start_hour)

    @property
    def start_s(self) -> int:
        """Start of the first day."""
        return self.day_start(0)

    @property
    def end_s(self) -> int:
        """End of the last day."""
        return self.day_start(self.days)

    def day(self, index: int) -> date:
        """The metering day of an index."""
        return self.first_day + timedelta(days=index)

    def day_start(self, index: int) -> int:
        """Epoch second at which a metering day starts."""
        return round(self.calendar.start(self.day(index)).timestamp())


def usual_groups(modules: int) -> int:
    """Groups of a fleet when their number is not given."""
    return min(MOST_GROUPS, max(int(modules >= 12), modules // HOMES_A_GROUP))


def faults_of(words: str) -> tuple[str, ...]:
    """Kinds of a comma-separated list, of `all` or of `none`."""
    chosen = [word.strip() for word in words.split(",") if word.strip()]
    if chosen == [NO_FAULTS]:
        return ()
    return tuple(KINDS) if chosen in ([], [ALL_FAULTS]) else tuple(dict.fromkeys(chosen))


def stream_of(seed: int, *purpose: int) -> Sequence[int]:
    """Seed of the random numbers of one purpose, independent of those of others."""
    return [seed, *purpose]
