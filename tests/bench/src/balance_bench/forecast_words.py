"""The page beside the figures of forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CASES = {
    "gas_heating": "gas of the British home, October to April",
    "gas_all_year": "the same, all months",
    "gas_silent": "October to April, silent on the last one to five days before each forecast",
    "gas_no_weather": "October to April, without any weather",
    "electricity": "electricity of the British home, all months",
    "water": "water of the 25 Spanish homes, November and December",
    "water_silent": "the same, silent on the last one to five days before each forecast",
}
_PAGE = """\
# What month-end forecasts are worth

`make bench-forecast`{where}. The service's own computation ([domain.md §6](../domain.md)) on real homes,
as of each day from the third of each month to the last but one, with the readings and the weather known by
then and no others; what the month then came to is the truth. Pro rata is what was used so far, stretched to
the month.

## Gas in the heating months

Median absolute error, in percent of the month, over {gas_heating_months} months (October to April) of one
home; the first month of the file, which has no past, is left out.

| as of day | forecast | pro rata |
|---:|---:|---:|
{gas}

## Water

The same for November and December of the 25 homes.

| as of day | forecast | pro rata |
|---:|---:|---:|
{water}

Without weather a forecast is the mean of the last six weeks, the newer the heavier. A weekday effect (means
by day of the week over the same days) was tried and left out: on these homes the mean error of the days to
come went from 17.5 to 17.1 % for water (57 forecasts) and from 10.57 to 10.62 % for electricity (90).

## The interval

Stated are 95 %; half its width in percent of the forecast (median).

| | forecasts | inside | used more | half width |
|---|---:|---:|---:|---:|
{cases}

How far the level of the days to come lies from that of the days before (λ) was chosen on these homes, 0.3
for gas and heat, 0.12 for the rest: one number a kind, but not one that other homes have confirmed. Months
in which heating begins or ends miss most often. A day that the file does not have whole counts as one
without a meter, so that the truth is known; months of which less than 80 % of the days to come are known
are not judged.
{fleet}"""
_FLEET = """
## A night of the fleet

{fleet_usage_points:,} usage points, {fleet_silent:,} of them silent for 15 days, on {machine}: marked in
{fleet_marking_seconds} s, computed and written in {fleet_night_seconds} s ({fleet_forecasts:,} forecasts,
the database beside it), computed once more, nothing having changed, in {fleet_night_again_seconds} s.
"""


def page(report: Mapping[str, Any]) -> str:
    """The page of `docs/proof/forecast.md`."""
    where = f" on {report['machine']}, commit `{report['commit']}`" if "machine" in report else ""
    return _PAGE.format(
        where=where,
        gas=_errors(report, "gas"),
        water=_errors(report, "water"),
        cases="\n".join(_case(report, name, words) for name, words in _CASES.items()),
        fleet=_FLEET.format(**report) if "machine" in report else "",
        gas_heating_months=report["gas_heating_months"],
    )


def _errors(report: Mapping[str, Any], name: str) -> str:
    return "\n".join(
        f"| {day} | {report[f'{name}_day_{day}_error_percent']} % "
        f"| {report[f'{name}_day_{day}_pro_rata_error_percent']} % |"
        for day in (10, 15, 20)
    )


def _case(report: Mapping[str, Any], name: str, words: str) -> str:
    return (
        f"| {words} | {report[f'{name}_forecasts']:,} | {report[f'{name}_interval_coverage_percent']} % "
        f"| {report[f'{name}_used_more_percent']} % | {report[f'{name}_interval_half_width_percent']} % |"
    )
