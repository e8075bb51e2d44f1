"""Rows of `imbalance.onset_days`, `group_onsets` and `group_hour_alarms`, and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import hypot
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from balance_kernel.calendar import HOUR_S, Calendar

from balance_imbalance.domain.baseline import Baseline, WatchedDay, rounded
from balance_imbalance.domain.hour_alarm import Alarm, HourState
from balance_imbalance.domain.onset import Onset, OpenOnset, Regime, Run, Side, State
from balance_imbalance.domain.rules import PPM, Coverage

_COUNTING = (Coverage.COMPLETE, Coverage.ESTIMATED)
_MOST_INT8 = 9 * 10**18
_MOST_INT4 = 2**31 - 1


def from_row_watched_day(row: Sequence[Any], calendar: Calendar) -> WatchedDay:
    """A row of the query `watched_group_days`."""
    day_start, coverage, supply, imbalance, u_estimate, u_pulse, u_clock, pulse, *of_hours = row
    coverages, imbalances, tolerances = of_hours
    counts = coverage in _COUNTING and supply is not None and supply > 10 * pulse and supply > 0
    hours = np.array(imbalances, np.float64)  # NaN for null
    hours[~np.isin(np.array(coverages), _COUNTING)] = np.nan
    return WatchedDay(
        calendar.date_of(day_start).toordinal(),
        int(day_start.timestamp()),
        float(supply) if counts else None,
        float(imbalance) if counts else None,
        u_estimate or 0.0,
        hours,
        np.array(tolerances, np.float64),
        clock_hours(calendar.zone, day_start, len(coverages)),
        hypot(u_pulse or 0.0, u_clock or 0.0),
    )


@lru_cache(2048)
def clock_hours(zone: str, day_start: datetime, hours: int) -> npt.NDArray[np.int64]:
    """Local hour, 0 to 23, of each hour of a day."""
    here = ZoneInfo(zone)
    starts = (day_start.astimezone(UTC) + timedelta(seconds=HOUR_S * hour) for hour in range(hours))
    return np.array([start.astimezone(here).hour for start in starts])


def to_row_state(state: State) -> Mapping[str, Any]:
    """A state as JSON holds it."""
    return asdict(state)


def from_row_state(row: Mapping[str, Any]) -> State:
    """A state of JSON."""
    hours = row["hours"]
    alarm = hours["alarm"]
    return State(
        _regime(row["regime"]),
        Run(**row["rise"]),
        Run(**row["fall"]),
        tuple(_open_onset(each) for each in row["open"]),
        HourState(
            Alarm(**{**alarm, "excesses": tuple(alarm["excesses"])}) if alarm else None,
            hours["last_s"],
            hours["last_excess"],
        ),
    )


def _open_onset(row: Mapping[str, Any]) -> OpenOnset:
    onset = row["onset"]
    return OpenOnset(
        Onset(
            onset["alarmed"],
            onset["since"],
            Side(onset["side"]),
            Baseline(**onset["baseline"]),
            tuple(onset["excesses"]),
            onset["last"],
            onset["ended"],
        ),
        row["total"],
        row["below_since"],
        _regime(row["before"]),
    )


def _regime(row: Mapping[str, Any]) -> Regime:
    return Regime(row["first"], tuple((start, end) for start, end in row["aside"]))


def to_columns_onsets(onsets: Sequence[Onset], calendar: Calendar) -> Mapping[str, Sequence[Any]]:
    """Columns of the statement `upsert_onsets`."""

    def start(number: int | None) -> datetime | None:
        return None if number is None else calendar.start_of(date.fromordinal(number))

    return {
        "alarmed_days": [start(onset.alarmed) for onset in onsets],
        "sides": [int(onset.side) for onset in onsets],
        "since_days": [start(onset.since) for onset in onsets],
        "ended_days": [start(onset.ended) for onset in onsets],
        "sizes_per_day": [_held(onset.size_per_day, _MOST_INT8) for onset in onsets],
        "sizes_per_hour": [_held(onset.size_per_hour, _MOST_INT8) for onset in onsets],
        "constants": [_held(rounded(onset.baseline.constant), _MOST_INT8) for onset in onsets],
        "slopes": [rounded(onset.baseline.slope * PPM) for onset in onsets],
        "spreads": [_held(rounded(onset.baseline.spread * PPM), _MOST_INT4) for onset in onsets],
        "days": [onset.baseline.days for onset in onsets],
        "last_days": [start(onset.last) for onset in onsets],
    }


def to_columns_alarms(alarms: Sequence[Alarm]) -> Mapping[str, Sequence[Any]]:
    """Columns of the statement `upsert_hour_alarms`."""
    return {
        "starts": [_instant(alarm.start_s) for alarm in alarms],
        "ends": [None if alarm.ended_s is None else _instant(alarm.ended_s) for alarm in alarms],
        "hours": [len(alarm.excesses) for alarm in alarms],
        "excesses": [_held(alarm.excess_per_hour, _MOST_INT8) for alarm in alarms],
        "last_hours": [_instant(alarm.last_s) for alarm in alarms],
    }


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _held(value: int, most: int) -> int:
    """Within what the column holds: absurd coefficients still have a result."""
    return max(-most, min(most, value))
