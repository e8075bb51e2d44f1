"""What follows from group-days and readings: forecasts, inadequacy days, onsets and alarms, as SQL shows them
and as the oracle has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import psycopg
from balance_oracle.forecast import all_forecasts
from balance_oracle.imbalance import GroupDay
from balance_oracle.inadequacy import inadequacy_days
from balance_oracle.known import Known
from balance_oracle.onset import Watch, WatchedDay, WatchedHour
from balance_oracle.tolerance import root

from balance_chaos.alike import is_alike, unlike

Told = dict[Hashable, dict[str, Any]]

_INSTANT = "extract(epoch FROM {})::bigint"
_FORECASTS = f"""SELECT subject_kind, subject_id, {_INSTANT.format("month_start")},
    {_INSTANT.format("as_of")}, used, expected, lowest, highest, days_known, days_to_come, method, reason
    FROM imbalance.v_forecasts"""
_OF_A_FORECAST = (
    "as_of",
    "used",
    "expected",
    "lowest",
    "highest",
    "days_known",
    "days_to_come",
    "method",
    "reason",
)
_INADEQUACY = f"""SELECT usage_point_id, {_INSTANT.format("day_start")}, state, consumed, indoor, outdoor,
    expected_by_own_past, expected_by_like_homes, like_homes, like_homes_indoor
    FROM imbalance.v_inadequacy_days"""
_OF_INADEQUACY = (
    "state",
    "consumed",
    "indoor",
    "outdoor",
    "expected_own",
    "expected_like_homes",
    "like_homes",
    "like_homes_indoor",
)
_ONSETS = f"""SELECT group_id, side,
    {", ".join(map(_INSTANT.format, ("alarmed_day", "since_day", "ended_day")))},
    size_per_day, size_per_hour FROM imbalance.v_group_onsets"""
_ALARMS = f"""SELECT group_id, {", ".join(map(_INSTANT.format, ("start_at", "ended_at")))}, hours_above,
    excess_per_hour FROM imbalance.v_group_hour_alarms"""


def follow_ups_from_views(connection: psycopg.Connection[Any]) -> Told:
    """`imbalance.v_forecasts`, `v_inadequacy_days`, `v_group_onsets` and `v_group_hour_alarms`."""
    found: Told = {}
    for kind, name, month, *figures in connection.execute(_FORECASTS.encode()):
        told = dict(zip(_OF_A_FORECAST, figures, strict=True))
        found["forecast", kind, name, month] = told
    for name, day, *figures in connection.execute(_INADEQUACY.encode()):
        found["inadequacy", name, day] = dict(zip(_OF_INADEQUACY, figures, strict=True))
    for group, side, alarmed, since, ended, size_a_day, size_an_hour in connection.execute(_ONSETS.encode()):
        figures = {"since": since, "ended": ended, "size_a_day": size_a_day, "size_an_hour": size_an_hour}
        found["onset", group, side, alarmed] = figures
    for group, start, ended, above, excess in connection.execute(_ALARMS.encode()):
        found["alarm", group, start] = {"ended": ended, "hours_above": above, "excess": excess}
    return found


def follow_ups(known: Known, group_days: Sequence[GroupDay], now: int) -> Told:
    """The same by the oracle; ``now`` in seconds."""
    supplies = {
        (one.group.group_id, one.day): one.day_result["supply"]
        for one in group_days
        if one.day_result["supply"] is not None
    }
    found: Told = {}
    for (kind, name, month), figures in all_forecasts(known, supplies, now).items():
        reason = None if figures["reason"] == "UNSPECIFIED" else figures["reason"]
        shown = "BALANCE_GROUP" if kind == "GROUP" else kind
        found["forecast", shown, name, month] = figures | {"reason": reason}
    last = known.days.shifted(known.days.containing(now - known.settings.grace), -1)
    first = min((day for _, day in known.readings), default=last)
    due = list(known.days.overlapping(first, known.days.end(last)))
    for (name, day), row in inadequacy_days(known, due).items():
        found["inadequacy", name, day] = row
    by_group: dict[str, list[GroupDay]] = defaultdict(list)
    for one in group_days:
        by_group[one.group.group_id].append(one)
    for group, of_group in by_group.items():
        found |= _watched(group, of_group, known)
    return found


def _watched(group: str, group_days: Sequence[GroupDay], known: Known) -> Told:
    starts = {known.days.date_of(one.day).toordinal(): one.day for one in group_days}
    watch = Watch([_watched_day(one, known) for one in group_days])
    found: Told = {}
    for onset in watch.onsets:
        found["onset", group, onset.side, starts[onset.alarmed]] = {
            "since": starts[onset.since],
            "ended": None if onset.ended is None else starts[onset.ended],
            "size_a_day": onset.size_a_day,
            "size_an_hour": onset.size_an_hour,
        }
    for alarm in watch.alarms:
        figures = {"ended": alarm.ended, "hours_above": len(alarm.excesses), "excess": alarm.excess}
        found["alarm", group, alarm.start] = figures
    return found


def _watched_day(one: GroupDay, known: Known) -> WatchedDay:
    day, reliable = one.day_result, ("COMPLETE", "ESTIMATED")
    pulse = max((row.pulse(one.hours) for row in one.supply), default=0)
    counts = day["coverage"] in reliable and day["supply"] > max(0, 10 * pulse)
    hours = [
        WatchedHour(
            one.day + 3600 * hour,
            known.days.local(one.day + 3600 * hour).hour,
            span["imbalance"] if span["coverage"] in reliable else None,
            span["tolerance"] if span["coverage"] in reliable else None,
        )
        for hour, span in enumerate(one.hour_results)
    ]
    terms = one.terms(list(one.hours), for_day=True) if counts else None
    return WatchedDay(
        known.days.date_of(one.day).toordinal(),
        one.day,
        day["imbalance"] if counts else None,
        day["supply"] if counts else None,
        float(root(terms.estimates)) if terms is not None else 0.0,
        tuple(hours),
        float(root(terms.pulses + terms.clocks)) if terms is not None else 0.0,
    )


def unlike_follow_ups(
    wanted: Mapping[Hashable, Any], found: Mapping[Hashable, Any], most: int = 5
) -> list[str]:
    """The first differences in words; none when the two agree."""
    words = [f"{key} is not there: {wanted[key]}" for key in wanted.keys() - found.keys()]
    words += [f"{key} should not be there: {found[key]}" for key in found.keys() - wanted.keys()]
    words += [
        f"{key}: expected {unlike(one, found[key])}"
        for key, one in wanted.items()
        if key in found and not is_alike(one, found[key])
    ]
    return [*words[:most], f"… {len(words)} in all"] if len(words) > most else words
