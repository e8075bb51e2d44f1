"""What the handlers and the steps of the worker need of the world.

Every method that writes is one transaction unless it says otherwise. Errors of the database come through as
they are; the chassis knows which of them pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from balance_imbalance.domain.assembly import CompleteDays, GroupHistory, ReadingTable
from balance_imbalance.domain.baseline import WatchedDay
from balance_imbalance.domain.equipment import Equipment
from balance_imbalance.domain.figures import GroupDay
from balance_imbalance.domain.forecast_subjects import Forecast, Subject
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.messages import Assets, ReadingDay
from balance_imbalance.domain.onset import Followed, State
from balance_imbalance.domain.register import DescribedPoint
from balance_imbalance.domain.weather import ObjectPath, Weather
from balance_imbalance.domain.weather_reports import WeatherReport


class ReadingDayStore(Protocol):
    """This service's copy of the readings."""

    def store(self, days: Sequence[ReadingDay], clock_at: int) -> int:
        """Keep days whose version is greater than what is held, and mark what depends on those that changed.

        ``days`` are unique and in order; ``clock_at`` (seconds) is remembered if it is the newest. Marked
        are the group-days of the day itself, and later ones that were computed without the usage point
        (§4.7). Gives how many days changed. Usage points nobody described are kept like any.
        """
        ...


class Register(Protocol):
    """The described entities, each with its whole history, and what follows from them together."""

    def describe(self, assets: Assets) -> int:
        """Keep descriptions of a greater version, resolve what they touch (§4.0), and mark the group-days
        that differ by them (§4.7). Gives how many group-days were marked.
        """
        ...


class WeatherStore(Protocol):
    """What sources tell of the weather."""

    def store(self, reports: Sequence[WeatherReport]) -> int:
        """Keep weather days whose version is greater than what is held, and note those that changed.

        ``reports`` are unique by source and day. Gives how many days changed.
        """
        ...


class WeatherMarks(Protocol):
    """Notes of weather that changed, until what depends on it is marked (§4.7)."""

    def mark(self) -> int:
        """Mark the group-days that depend on noted weather; gives how many notes there were."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """A group-day to compute, and the lane (0 live, 1 backlog, 2 recomputation) its result goes out by."""

    group: int
    day_start: datetime
    lane: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a group-day came to; ``figures`` is None when there is no such group-day (any more)."""

    due: Due
    hours: int
    figures: GroupDay | None


Spans = Mapping[int, tuple[datetime, datetime]]
"""By usage point, from the first instant up to, not including, the second."""


class GroupDayWork(Protocol):
    """One transaction of the worker. It holds its groups: no reading of theirs is being stored meanwhile."""

    def bear(self, due: Sequence[Due], do: Callable[[Sequence[Due]], None]) -> None:
        """Do what is due; if that fails, by halves. What fails alone is set aside, to be due again later."""
        ...

    def histories(self) -> Mapping[int, GroupHistory]:
        """Memberships, meters, resource and problems of each group held."""
        ...

    def described(self, usage_points: Iterable[int]) -> Mapping[int, DescribedPoint]:
        """What the register says of each of these usage points; one query."""
        ...

    def equipment(self, usage_points: Iterable[int]) -> Equipment:
        """Allowances and thermometers of these usage points; two queries."""
        ...

    def first_days(self) -> Mapping[int, datetime | None]:
        """By group, the first day on which a usage point valid in it has a reading day, as last known."""
        ...

    def readings(self, due: Sequence[Due]) -> ReadingTable:
        """Readings of the groups' usage points, and of their thermometers, on these days."""
        ...

    def complete_days(self, spans: Spans) -> CompleteDays:
        """By usage point, its days with all hours VALID or EDITED in the span, newest first."""
        ...

    def valued_days(self, spans: Spans) -> Mapping[int, Sequence[datetime]]:
        """By usage point, starts of its days with a value in the span."""
        ...

    def weather(self, object_paths: Iterable[ObjectPath], day_starts: Iterable[datetime]) -> Weather:
        """The weather at all these objects on all these days."""
        ...

    def settle_first_days(self, groups: Sequence[int]) -> Mapping[int, datetime | None]:
        """Look the first days of these groups up afresh, and remember them."""
        ...

    def remember_first_days(self, first_days: Mapping[int, datetime]) -> None:
        """Remember earlier first days."""
        ...

    def write(self, results: Sequence[Result]) -> int:
        """Keep what changed with a version of one more, name it to the publisher, and give how many these
        are.
        """
        ...


class GroupDayStore(Protocol):
    """Markers and results."""

    def clock(self) -> datetime | None:
        """How far time has come; None while nothing was heard."""
        ...

    def work(self, limit_days: int) -> AbstractContextManager[tuple[GroupDayWork, Sequence[Due]]]:
        """Begin a transaction on what is due: groups locked, then their markers deleted. Empty when nothing
        is.

        State is read only after that, through the work given.
        """
        ...

    def fill(self, last: datetime, limit_groups: int) -> int:
        """Mark the days up to ``last`` that exist by silence and are not there, or are there and no longer
        exist.

        Looks at the groups for which that may have changed, at most so many; gives how many these were.
        """
        ...

    def put_rules_in_force(self, inadequacy: InadequacyRules) -> None:
        """Let the views know what they must of the settings."""
        ...

    def groups_to_be_told_again(self) -> int:
        """How many groups were kept by a release that did not keep the register in full, and not told
        since.
        """
        ...

    def mark_other_settings(self, since: datetime | None) -> int:
        """Mark for recomputation the group-days that start then or later (None: all) and were computed with
        other settings or an older algorithm; gives how many these are.
        """
        ...


class InadequacyStore(Protocol):
    """Inadequacy days (§7): which are due, and their computation."""

    def mark_other_settings(self, since: datetime | None = None) -> int:
        """Mark the rows of that day or later (None: all) that were computed with other settings or an older
        algorithm for recomputation; gives how many.
        """
        ...

    def follow_register(self) -> int:
        """Mark the days that differ by a change of the register; gives how many homes changed."""
        ...

    def fall_due(self, last: datetime) -> int:
        """Mark the days up to ``last`` that were not due before; gives how many markers these were."""
        ...

    def compute(self, limit: int) -> tuple[int, int]:
        """Compute what is marked, at most so many markers, one transaction; gives how many these were, and
        how many rows changed.
        """
        ...


class ForecastWork(Protocol):
    """One transaction of the worker on forecasts of usage points, or of groups. Spans of days include both
    ends.
    """

    def bear(self, do: Callable[[Sequence[tuple[int, datetime]]], None]) -> None:
        """Do what is due; if that fails, by halves. What fails alone is set aside, to be due again later."""
        ...

    def subjects(self, numbers: Sequence[int]) -> Sequence[Subject]:
        """Those of them that the register describes and that can have forecasts."""
        ...

    def whole_days(
        self, numbers: Sequence[int], first: datetime, last: datetime
    ) -> Sequence[tuple[int, int, int]]:
        """(subject, start in seconds, sum) of whole days (docs/domain.md §6.1)."""
        ...

    def part_days(
        self, numbers: Sequence[int], first: datetime, last: datetime
    ) -> Sequence[tuple[int, int, Sequence[int], Sequence[int]]]:
        """(usage point, start in seconds, values, qualities) of reading days that are not whole."""
        ...

    def complete_days(self, spans: Spans) -> CompleteDays:
        """By usage point, its whole days by hour from the first instant up to the second."""
        ...

    def told_paths(self) -> frozenset[ObjectPath]:
        """The objects of which anybody ever told weather."""
        ...

    def weather(self, object_paths: Iterable[ObjectPath], day_starts: Iterable[datetime]) -> Weather:
        """The weather at these objects on these days."""
        ...

    def write(self, forecasts: Sequence[Forecast]) -> int:
        """Keep what changed with a version of one more, name it to the publisher, and give how many these
        are. One as of an earlier day than is held is left out.
        """
        ...


class ForecastStore(Protocol):
    """Forecasts of one kind of subject (§6): which are due, and their transactions."""

    def fall_due(self, last: datetime) -> int:
        """Let the days up to ``last`` fall due; gives how many forecasts were marked."""
        ...

    def follow_register(self) -> int:
        """Mark the forecasts of subjects that the register changed; gives how many subjects these are."""
        ...

    def mark_other_settings(self, since: datetime | None = None) -> int:
        """Mark the forecasts as of that day or later (None: all) that were computed with other settings or an
        older algorithm for recomputation; gives how many.
        """
        ...

    def work(
        self, limit: int, quiet_s: float = 5.0
    ) -> AbstractContextManager[tuple[ForecastWork, Sequence[tuple[int, datetime]]]]:
        """Begin a transaction on at most so many (subject, day) that were marked ``quiet_s`` ago; none when
        none is due.
        """
        ...


@dataclass(frozen=True, slots=True)
class Followable:
    """The days of a group to go over, what those before mean for them, and those of the window before.

    ``after`` is the last day that is not gone over again, None when all are. ``first_news`` is the first that
    changed, since it was gone over last, by more than recomputations; None without any. ``versions`` are
    those of the group-days, by the number of the day.
    """

    group: int
    first_news: datetime | None
    after: datetime | None
    versions: Mapping[int, int]
    state: State
    past: Sequence[WatchedDay]
    days: Sequence[WatchedDay]


class OnsetWork(Protocol):
    """One transaction on onsets and hourly alarms (§8)."""

    def unfollowed(self, first: Mapping[str, datetime]) -> tuple[Collection[str], Sequence[Followable]]:
        """Hold the groups, and read their group-days from the first on that is ``first`` or later and
        stands otherwise than when it was gone over; from an earlier one if what the days before mean is not
        remembered up to there. Gives the groups that are done with after this transaction, one at least, and
        what is to be gone over: nothing of a group without such a day, or that nobody described.
        """
        ...

    def write(self, gone_over: Sequence[tuple[Followable, Followed]]) -> tuple[int, int]:
        """Remember the states; keep onsets and alarms that changed with a version of one more, withdraw what
        is no longer found, name both to the publisher. Gives how many onsets and alarms these are.
        """
        ...


class OnsetStore(Protocol):
    """Onsets and hourly alarms."""

    def work(self) -> AbstractContextManager[OnsetWork]:
        """Begin a transaction."""
        ...
