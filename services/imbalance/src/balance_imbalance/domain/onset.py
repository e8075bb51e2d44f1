"""Onset of a change in a group's imbalance, day after day (docs/domain.md §8.3 to §8.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from statistics import median

from balance_imbalance.domain.baseline import Baseline, WatchedDay, fit, fit_hours, rounded
from balance_imbalance.domain.hour_alarm import Alarm, HourState, judge_hours
from balance_imbalance.domain.onset_rules import OnsetRules


class Side(IntEnum):
    """Which way the imbalance went: names are the symbols of the contract, numbers what tables hold."""

    UNSPECIFIED = 0
    RISE = 1
    FALL = 2

    @property
    def sign(self) -> int:
        """+1 for RISE, −1 for FALL."""
        return 1 if self is Side.RISE else -1


@dataclass(frozen=True, slots=True)
class Regime:
    """The days a group is judged by: from ``first`` on, without those in [start, end) of ``aside``."""

    first: int = 0
    aside: tuple[tuple[int, int], ...] = ()

    def holds(self, number: int) -> bool:
        """Whether the day of that number belongs to it."""
        return number >= self.first and not any(start <= number < end for start, end in self.aside)


@dataclass(frozen=True, slots=True)
class Run:
    """A one-sided sum, and the first day of the run of days on which it was above 0."""

    total: float = 0.0
    since: int = 0

    def add(self, score: float, slack: float, number: int) -> Run:
        """The sum after one more day."""
        total = max(0.0, self.total + score - slack)
        return Run(total, self.since if self.total > 0 else number) if total > 0 else Run()


@dataclass(frozen=True, slots=True)
class Onset:
    """A change, as known so far. Days by number; sizes in base units a day."""

    alarmed: int
    since: int
    side: Side
    baseline: Baseline
    excesses: tuple[float, ...]
    """By how much D exceeded the expected, on the first days from the alarm on."""
    last: int
    """The last day that made it what it is: by its alarm, its size or its end."""
    ended: int | None = None

    @property
    def size_per_day(self) -> int:
        """Base units a day; negative for a FALL."""
        return rounded(median(self.excesses))

    @property
    def size_per_hour(self) -> int:
        """Base units an hour."""
        return rounded(median(self.excesses) / 24)


@dataclass(frozen=True, slots=True)
class OpenOnset:
    """An onset whose end is looked for: its sum W, since when W is below the threshold, the regime before."""

    onset: Onset
    total: float
    below_since: int | None
    before: Regime


@dataclass(frozen=True, slots=True)
class State:
    """All that the days so far mean for those to come, beside the days of the window."""

    regime: Regime = field(default_factory=Regime)
    rise: Run = field(default_factory=Run)
    fall: Run = field(default_factory=Run)
    open: tuple[OpenOnset, ...] = ()
    hours: HourState = field(default_factory=HourState)


@dataclass
class Followed:
    """What came of following some days: the state after each, and the onsets and alarms they touched."""

    state: State
    states: list[tuple[WatchedDay, State]] = field(default_factory=list)
    onsets: dict[int, Onset] = field(default_factory=dict)
    alarms: dict[int, Alarm] = field(default_factory=dict)


def follow(
    state: State, past: Sequence[WatchedDay], days: Iterable[WatchedDay], rules: OnsetRules
) -> Followed:
    """Go on from ``state`` over ``days`` in their order.

    ``past`` are the days of the window before them, in order; more of them do no harm. Onsets and alarms
    that were open in ``state`` and those found since are given as they stand afterwards.
    """
    followed = Followed(state)
    followed.onsets = {each.onset.alarmed: each.onset for each in state.open}
    if state.hours.alarm:
        followed.alarms[state.hours.alarm.start_s] = state.hours.alarm
    window = [day for day in past if day.counts]
    for day in days:
        window = [each for each in window if each.number >= day.number - rules.window_days]
        held = [each for each in window if followed.state.regime.holds(each.number)]
        baseline = fit(held, rules)
        usual = fit_hours(held, rules) if baseline else None
        hours, alarms = judge_hours(followed.state.hours, day, usual, rules)
        followed.alarms.update((alarm.start_s, alarm) for alarm in alarms)
        followed.state = replace(followed.state, hours=hours)
        if day.counts:
            _judge_day(followed, day, baseline, rules)
            window.append(day)
        followed.states.append((day, followed.state))
    return followed


def _judge_day(followed: Followed, day: WatchedDay, baseline: Baseline | None, rules: OnsetRules) -> None:
    state = followed.state
    still, back = _still_open(state.open, day, rules)
    followed.onsets.update((each.onset.alarmed, each.onset) for each in still)
    state = replace(state, open=tuple(still))
    if back:
        _end(followed, state, back, day, rules)
    elif baseline is None:
        followed.state = replace(state, rise=Run(), fall=Run())
    else:
        _add(followed, state, day, baseline, rules)


def _still_open(
    opened: Sequence[OpenOnset], day: WatchedDay, rules: OnsetRules
) -> tuple[list[OpenOnset], Sequence[OpenOnset]]:
    """Those still open after a day, and those that end on it: the first that is back, and all later ones."""
    still: list[OpenOnset] = []
    watched = [each for each in opened if day.number - each.onset.alarmed <= rules.watched_days]
    for position, each in enumerate(watched):
        after = _looked_at(each, day, rules)
        if after.total == 0:
            return still, [after, *watched[position + 1 :]]
        still.append(after)
    return still, []


def _looked_at(each: OpenOnset, day: WatchedDay, rules: OnsetRules) -> OpenOnset:
    onset = each.onset
    score = onset.side.sign * onset.baseline.score(day, rules.most_score)
    total = min(rules.threshold, max(0.0, each.total + score - rules.slack))
    if total < rules.threshold:
        below_since = day.number if each.below_since is None else each.below_since
    else:
        below_since = None
    if total > 0 and len(onset.excesses) < rules.size_days:
        excesses = (*onset.excesses, onset.baseline.excess(day))
        onset = replace(onset, excesses=excesses, last=day.number)
    return OpenOnset(onset, total, below_since, each.before)


def _end(
    followed: Followed, state: State, back: Sequence[OpenOnset], day: WatchedDay, rules: OnsetRules
) -> None:
    first = back[0]
    assert first.below_since is not None
    for each in back:
        ended = replace(each.onset, ended=max(first.below_since, each.onset.alarmed), last=day.number)
        followed.onsets[ended.alarmed] = ended
    aside = [
        *((start, end) for start, end in first.before.aside if end > day.number - rules.window_days),
        (first.onset.since, first.below_since),
    ]
    followed.state = replace(state, regime=Regime(first.before.first, tuple(aside)), rise=Run(), fall=Run())


def _add(followed: Followed, state: State, day: WatchedDay, baseline: Baseline, rules: OnsetRules) -> None:
    score = baseline.score(day, rules.most_score)
    rise = state.rise.add(score, rules.slack, day.number)
    fall = state.fall.add(-score, rules.slack, day.number)
    side = next(
        (side for side, run in ((Side.RISE, rise), (Side.FALL, fall)) if run.total > rules.threshold), None
    )
    if side is None:
        followed.state = replace(state, rise=rise, fall=fall)
        return
    since = rise.since if side is Side.RISE else fall.since
    onset = Onset(day.number, since, side, baseline, (baseline.excess(day),), day.number)
    followed.onsets[onset.alarmed] = onset
    opened = OpenOnset(onset, rules.threshold, None, state.regime)
    followed.state = replace(
        state, regime=Regime(day.number + 1), rise=Run(), fall=Run(), open=(*state.open, opened)
    )
