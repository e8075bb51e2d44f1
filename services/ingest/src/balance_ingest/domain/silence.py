"""What was not heard, and who was not expected (docs/domain.md §3.8, §3.9)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from balance_ingest.domain import findings
from balance_ingest.domain.days import HOUR_S
from balance_ingest.domain.findings import Finding, Severity, instant_text, span_text
from balance_ingest.domain.history import Fitting, UsagePoint

_UNKNOWN_ADVICE = "register what it is fitted to, and its data counts from the start"


def missing_hours(point: UsagePoint, day: int, end: int, hours: Sequence[int]) -> Finding:
    """`vee.missing` for a day with evidence that lacks hours, named by their position (docs/domain.md
    §3.8).
    """
    all_hours = (end - day) // HOUR_S
    return Finding(
        rule=findings.MISSING,
        about="day",
        severity=Severity.WARNING,
        start=day,
        end=end,
        expected=f"{all_hours} hours",
        found=f"hours {_ranges(hours)} missing",
        message=f"Of the {all_hours} hours from {instant_text(day)}, {len(hours)} are missing at usage point "
        f"{point.name} (hours {_ranges(hours)} of the day): read the archive of its module again.",
        usage_point=point.name,
    )


def missing_day(point: UsagePoint, fitting: Fitting, day: int, end: int) -> Finding:
    """`vee.missing` for a day that nothing was heard of, though the week before it was heard (docs/domain.md
    §3.8).
    """
    return Finding(
        rule=findings.MISSING,
        about="day",
        severity=Severity.WARNING,
        start=day,
        end=end,
        expected=f"{(end - day) // HOUR_S} hours",
        found="nothing",
        message=f"Nothing was heard of usage point {point.name} (module {fitting.module_id} "
        f"channel {fitting.number}) "
        f"for {span_text(day, end)}: see whether its module and concentrator are on the air.",
        usage_point=point.name,
    )


def unknown_channel(module_id: str, number: int, start: int, end: int) -> Finding:
    """`vee.unknown_channel`: it sends, and no usage point ever had it fitted (docs/domain.md §3.9)."""
    return Finding(
        rule=findings.UNKNOWN_CHANNEL,
        about="channel",
        severity=Severity.WARNING,
        start=start,
        end=end,
        expected="a usage point it is fitted to",
        found="none",
        message=f"Module {module_id} channel {number} has sent data of {span_text(start, end)} "
        f"and is fitted to no usage point: {_UNKNOWN_ADVICE}.",
        module_id=module_id,
        channel=number,
    )


def _ranges(hours: Sequence[int]) -> str:
    """`0–3, 7` for 0, 1, 2, 3, 7."""
    parts = []
    for _, group in groupby(enumerate(hours), lambda pair: pair[1] - pair[0]):
        members = [hour for _, hour in group]
        parts.append(f"{members[0]}–{members[-1]}" if len(members) > 1 else f"{members[0]}")
    return ", ".join(parts)
