"""The page of the figures on onset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PAGE = """\
# What onsets and hourly alarms are worth

`make bench-onset`. The service's own rules ([domain.md §8](../domain.md)) on {groups} simulated groups of
about twenty modules over {days} days, with nothing wrong: meters err by their classes, count in pulses, have
clocks that are off, common meters have standing losses, gas follows the weather. *With silence*: each day a
home falls silent with a chance of 1 %, for up to 20 days that never come, so that on nine days of ten
somebody of a group is estimated, here without weather.

| | group-years | onsets a group-year | of them ended again | hourly alarms a group-year |
|---|---:|---:|---:|---:|
{rates}
| ideal noise | {ideal_noise_group_years} | {ideal_noise_onsets_per_group_year} | | |

Ideal noise is normal, 1 % of the supply, without memory. Known for certain, a, b and σ would give 0.019 a
group-year (23 a year over 1,200 groups); here they are learnt, from 28 to 56 days.

## Leaks that are found

The same groups with a constant leak from some day on, found when a RISE is alarmed within {found_within_days}
days; and a burst of half the mean supply at 13:00, found when an hourly alarm begins then or an hour later.

| leak, of the mean supply | found, all heard | median days | error of the size | found, with silence |
|---:|---:|---:|---:|---:|
{leaks}

Bursts alarmed, all heard: {bursts_alarmed_percent} % of {bursts_tried}.

## Open

With homes silent most of the time a group still raises onsets that are none, and hides small leaks. What
limits it is the estimate of the silent, whose error lasts as long as the silence: on 40 groups of another
seed there were 145 false onsets in 37 group-years, and 43 once what the expanded uncertainty of estimates can
explain was taken for no evidence. The next step is a baseline on the hours and homes that were heard.

With what is learnt in place of what is known, h = 8 is crossed by ideal noise twenty times as often as the
0.019 say. On 250 group-years h = 8 gave 0.36 a group-year, 10 gave 0.11, 12 gave 0.04, 14 gave 0.01; on
L-TOWN the growing leak is then alarmed on 06-12, 06-13, 06-14 and 06-14, and with 12 and 14 once more in
September, when it grows no longer. A utility with many groups may choose 10
(`BALANCE_IMBALANCE_ONSET_THRESHOLD`).
"""
_KINDS = {"healthy": "healthy, all heard", "healthy_with_silence": "healthy, with silence"}


def page(report: Mapping[str, Any]) -> str:
    """Markdown."""
    return _PAGE.format(
        **report,
        rates="\n".join(_rate(report, kind) for kind in _KINDS),
        leaks="\n".join(_leak(report, percent) for percent in report["leak_percents"]),
    )


def _rate(report: Mapping[str, Any], kind: str) -> str:
    years, onsets, ended, alarms = (
        report[f"{kind}_{name}"]
        for name in (
            "group_years",
            "onsets_per_group_year",
            "onsets_ended_percent",
            "hour_alarms_per_group_year",
        )
    )
    return f"| {_KINDS[kind]} | {years} | {onsets} | {ended} % | {alarms} |"


def _leak(report: Mapping[str, Any], percent: int) -> str:
    heard, silent = f"leaks_of_{percent}_percent", f"leaks_with_silence_of_{percent}_percent"
    return (
        f"| {percent} % | {report[f'{heard}_found_percent']} % | {report[f'{heard}_days_to_alarm']} "
        f"| {report[f'{heard}_size_error_percent']} % | {report[f'{silent}_found_percent']} % |"
    )
