"""When a group changed against itself, and hours far above the usual (domain.md §8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor
from statistics import median

WINDOW, LEAST_DAYS, LEAST_HOURS = 56, 28, 14
LEAST_SPREAD, MOST_SCORE, SLACK, THRESHOLD = 0.002, 20.0, 0.5, 8.0
STEEPEST, SIZE_DAYS, WATCHED_DAYS, HOUR_SIGMAS = 0.9, 7, 365, 6.0
ROBUST = 1.4826


@dataclass(frozen=True)
class WatchedHour:
    """D and T of an hour that counts, null of one that does not; its start and its local clock hour."""

    start: int
    clock_hour: int
    imbalance: int | None
    tolerance: int | None


@dataclass(frozen=True)
class WatchedDay:
    """A group-day: its number in the calendar, its start, D and S when it counts, u of its estimates."""

    number: int
    start: int
    imbalance: int | None
    supply: int | None
    u_estimate: float
    hours: tuple[WatchedHour, ...]
    u_reading: float = 0.0

    @property
    def counts(self) -> bool:
        return self.imbalance is not None


@dataclass(frozen=True)
class Baseline:
    """§8.2: D = a + b·S, with the spread of what is left as a share of S."""

    a: float
    b: float
    spread: float

    def excess(self, day: WatchedDay) -> float:
        assert day.imbalance is not None
        assert day.supply is not None
        return day.imbalance - self.a - self.b * day.supply

    def score(self, day: WatchedDay) -> float:
        assert day.supply is not None
        r = self.excess(day)
        evidence = max(0.0, abs(r) - 2 * day.u_estimate) * (1 if r > 0 else -1)
        z = evidence / max(self.spread * day.supply, day.u_estimate, day.u_reading)
        return max(-MOST_SCORE, min(z, MOST_SCORE))


@dataclass
class Run:
    """A sum of §8.3 and the first day since when it is above 0."""

    total: float = 0.0
    since: int | None = None

    def add(self, score: float, day: int) -> None:
        self.total = max(0.0, self.total + score - SLACK)
        if self.total == 0:
            self.since = None
        elif self.since is None:
            self.since = day


@dataclass
class Onset:
    """§8.3 to §8.5; days by number."""

    alarmed: int
    since: int
    side: str
    baseline: Baseline
    regime_before: frozenset[int]
    total: float = THRESHOLD
    below_since: int | None = None
    ended: int | None = None
    excesses: list[float] = field(default_factory=list)

    @property
    def size_a_day(self) -> int:
        return half_up(self._size)

    @property
    def size_an_hour(self) -> int:
        return half_up(self._size / 24)

    @property
    def _size(self) -> float:
        return median([excess / (1 - self.baseline.b) for excess in self.excesses])


@dataclass(frozen=True)
class Alarm:
    """§8.6; instants in seconds. ``excesses``: D − m of its hours above."""

    start: int
    ended: int | None
    excesses: tuple[float, ...]

    @property
    def excess(self) -> int:
        return half_up(median(self.excesses))


def half_up(value: float) -> int:
    return floor(value + 0.5)


class Watch:
    """One group through all its days, in order."""

    def __init__(self, days: Sequence[WatchedDay]) -> None:
        self.onsets: list[Onset] = []
        self.alarms: list[Alarm] = []
        self._days = sorted(days, key=lambda day: day.number)
        self._regime = frozenset(day.number for day in self._days)
        self._rise, self._fall = Run(), Run()
        self._hours = HourlyWatch(self.alarms)
        for day in self._days:
            self._judge(day)

    def _judge(self, day: WatchedDay) -> None:
        made_of = [
            other
            for other in self._days
            if other.counts
            and day.number - WINDOW <= other.number < day.number
            and other.number in self._regime
        ]
        baseline = fit(made_of) if len(made_of) >= LEAST_DAYS else None
        self._hours.judge(day, made_of if baseline is not None else None)
        if not day.counts or self._look_back(day):
            return
        if baseline is None:
            self._rise, self._fall = Run(), Run()
            return
        z = baseline.score(day)
        self._rise.add(z, day.number)
        self._fall.add(-z, day.number)
        for side, run in (("RISE", self._rise), ("FALL", self._fall)):
            if run.total > THRESHOLD and run.since is not None:
                self._alarm(day, side, run.since, baseline)
                return

    def _alarm(self, day: WatchedDay, side: str, since: int, baseline: Baseline) -> None:
        onset = Onset(day.number, since, side, baseline, self._regime, excesses=[baseline.excess(day)])
        self.onsets.append(onset)
        self._regime = frozenset(other.number for other in self._days if other.number > day.number)
        self._rise, self._fall = Run(), Run()

    def _look_back(self, day: WatchedDay) -> bool:
        """§8.4: whether the group is back where it was before an onset."""
        watched = [
            one for one in self.onsets if one.ended is None and day.number - one.alarmed <= WATCHED_DAYS
        ]
        for onset in watched:
            z = onset.baseline.score(day) * (1 if onset.side == "RISE" else -1)
            onset.total = min(THRESHOLD, max(0.0, onset.total + z - SLACK))
            if onset.total == THRESHOLD:
                onset.below_since = None
            elif onset.below_since is None:
                onset.below_since = day.number
            if onset.total == 0:
                self._end(onset)
                return True
            if len(onset.excesses) < SIZE_DAYS:
                onset.excesses.append(onset.baseline.excess(day))
        return False

    def _end(self, onset: Onset) -> None:
        end = onset.below_since
        assert end is not None
        for one in self.onsets:
            if one is onset or (one.ended is None and one.alarmed > onset.alarmed):
                one.ended = max(end, one.alarmed) if one is not onset else end
        self._regime = onset.regime_before - set(range(onset.since, end))
        self._rise, self._fall = Run(), Run()


def fit(days: Sequence[WatchedDay]) -> Baseline:
    """§8.2."""
    points = [(float(d.supply), float(d.imbalance)) for d in days if d.supply and d.imbalance is not None]
    slopes = [
        (dj - di) / (sj - si) for n, (si, di) in enumerate(points) for sj, dj in points[n + 1 :] if si != sj
    ]
    b = max(-STEEPEST, min(median(slopes), STEEPEST)) if slopes else 0.0
    a = median([d - b * s for s, d in points])
    left = [(d - a - b * s) / s for s, d in points]
    middle = median(left)
    return Baseline(a, b, max(LEAST_SPREAD, ROBUST * median([abs(one - middle) for one in left])))


class HourlyWatch:
    """§8.6: hours far above what is usual at their time of the day."""

    def __init__(self, alarms: list[Alarm]) -> None:
        self._alarms = alarms
        self._open = False
        self._before: tuple[int, float | None] | None = None

    def judge(self, day: WatchedDay, made_of: Sequence[WatchedDay] | None) -> None:
        """``made_of``: the days of the baseline; null without one."""
        if made_of is None:
            self._before = None
            if self._open:
                self._close(day.start)
            return
        for start, excess, above in _judged(day, made_of):
            self._next(start, excess if above else None)

    def _next(self, start: int, excess: float | None) -> None:
        """``excess``: of an hour above, null of one that is not."""
        before = self._before if self._before is not None and self._before[0] == start - 3600 else None
        if self._open:
            if excess is not None:
                last = self._alarms[-1]
                self._alarms[-1] = replace(last, excesses=(*last.excesses, excess))
            elif before is not None and before[1] is None:
                self._close(before[0])
        elif excess is not None and before is not None and before[1] is not None:
            self._alarms.append(Alarm(before[0], None, (before[1], excess)))
            self._open = True
        self._before = start, excess

    def _close(self, at: int) -> None:
        self._alarms[-1] = replace(self._alarms[-1], ended=at)
        self._open = False


def _judged(day: WatchedDay, made_of: Sequence[WatchedDay]) -> Iterator[tuple[int, float, bool]]:
    """(start, D − m, whether above) of the hours of the day that are judged."""
    known: dict[int, list[int]] = {}
    for other in made_of:
        for hour in other.hours:
            if hour.imbalance is not None:
                known.setdefault(hour.clock_hour, []).append(hour.imbalance)
    usual = {clock: median(values) for clock, values in known.items() if len(values) >= LEAST_HOURS}
    left: Mapping[int, list[float]] = {
        clock: [abs(value - usual[clock]) for value in known[clock]] for clock in usual
    }
    spread_of_all = ROBUST * median([one for some in left.values() for one in some]) if left else 0.0
    for hour in day.hours:
        if hour.imbalance is not None and hour.tolerance is not None and hour.clock_hour in usual:
            excess = hour.imbalance - usual[hour.clock_hour]
            s = max(ROBUST * median(left[hour.clock_hour]), spread_of_all, hour.tolerance / 2)
            yield hour.start, excess, excess > HOUR_SIGMAS * s
