"""The page beside the figures of the inadequacy coefficient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from balance_bench.inadequacy import Judged
    from balance_bench.inadequacy_fleet import Timed

_PAGE = """\
# Which warm homes with little gas are found, and which are flagged falsely

`make bench-inadequacy` on {machine}, {system}, commit `{commit}`. Size {size}: {fields} simulated winters
of {days} days, {homes:,} homes with gas meters in buildings with a common meter, with rooms, weather and
thermometers that are up to 1.5 °C off; a quarter of the homes are heated by other means. In every second
building three homes that heat with gas register 30 % of it from a day in the cold on, and three register 70
%, while their rooms stay as warm as they were. Readings, weather and register go through the real tables
and steps of imbalance ({rows:,} rows of homes and days), and `imbalance.inadequacy` is asked for every day
with the default depth of 7.

**In short.** Of {thirty_warm} homes at 30 % with a room that counts as warm, {thirty_found} were flagged by
the seventh day (median day {days_to_first_flag_median}); of {seventy_warm} at 70 %, {seventy_found} were.
Of {untouched_days:,} computable days of homes that heat with gas and do nothing, {untouched_flagged:,} were
flagged ({untouched_share:.2%}): {untouched_own:,} of these by their own past, the others because they use
less than half of what like homes do, as small homes may; beside {untouched_lossless:,} stood a group without
a loss.

| homes | number | computable 7th day | flagged | ever | home-days | flagged | by past | no loss | loss |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{kinds}

*Ever* flagged: of homes at 30 % and 70 % from the cut on, of others in the whole winter; the days of a
home before its cut are among the untouched. *By past*: the home's own past alone would have flagged it.
*Home-days* are the computable ones, *no loss* and *loss* what the group's balance says beside those
flagged. Homes *heated otherwise* are warm with little gas: no gas meter and thermometer can tell them
from an old theft, so they are flagged by their like homes. The balance of the group beside them does:
where it is within tolerance, it is other heating. In buildings where others steal it is in loss, and says
nothing of a single home.

## Why not computable

| reason | home-days |
|---|---:|
{reasons}

*Not warm* is the gate of 17 °C with the thermometer's 2 °C: a sound home at 19 °C does not pass it, and a
thief whose thermometer reads low is not judged.

## Speed

A fleet of {fleet_homes:,} homes with {fleet_days} days each:

| question | seconds, median of 5 | processor seconds in the server |
|---|---:|---:|
{questions}

Seconds are those of the machine as it was, with the client's; processor seconds without parallel workers
say what it takes when nobody else works. A night (one more day of the whole fleet, each home with its own
past of up to a year): {seconds_night:.1f} s for {night_rows:,} rows.

## What is simplified

The rooms do not follow the gas: they are as warm as wanted, as the thieves' are. Homes differ in size and
insulation (a standard deviation of 35 %), in hot water, cooking, presence and bias of the thermometer, and
in gas by up to a quarter from day to day; nobody renovates, moves in or takes to the stove.
"""


def page(report: Mapping[str, Any], judged: Judged, timed: Timed) -> str:
    """The page of a report."""
    given = {
        **report,
        "thirty_warm": report["30_percent_homes_warm"],
        "thirty_found": report["30_percent_homes_flagged_within_seven_days"],
        "seventy_warm": report["70_percent_homes_warm"],
        "seventy_found": report["70_percent_homes_flagged_within_seven_days"],
        "untouched_days": report["untouched_home_days_computable"],
        "untouched_flagged": report["untouched_home_days_flagged"],
        "untouched_share": report["untouched_home_days_flagged"]
        / max(1, report["untouched_home_days_computable"]),
        "untouched_own": report["untouched_home_days_flagged_by_own_past"],
        "untouched_lossless": report["untouched_home_days_flagged_without_loss"],
        "kinds": "\n".join(_kind(judged, kind) for kind in judged.homes),
        "reasons": "\n".join(f"| {reason} | {count:,} |" for reason, count in judged.reasons.most_common()),
        "questions": "\n".join(
            f"| {name} | {seconds:.2f} | {timed.processor[name]:.2f} |"
            for name, seconds in timed.questions.items()
        ),
    }
    return _PAGE.format(**given)


def _kind(judged: Judged, kind: str) -> str:
    figures = (
        judged.homes[kind],
        judged.warm[kind],
        judged.within_seven[kind],
        judged.ever_flagged[kind],
        judged.computable_days[kind],
        judged.flagged_days[kind],
        judged.by_own_past[kind],
        judged.lossless[kind],
        judged.with_loss[kind],
    )
    return f"| {kind} | " + " | ".join(f"{figure:,}" for figure in figures) + " |"
