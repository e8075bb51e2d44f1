"""The page beside the figures of validation and estimation."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from balance_simulator.field.fault_kinds import KINDS

from balance_bench import vee_estimates
from balance_bench.vee_estimates import Estimated
from balance_bench.vee_judging import CONSEQUENCE, FALSE, LABEL, TRAP, Judged
from balance_bench.vee_real import Real

_PAGE = """\
# What validation finds, what it misses, what estimates are worth

`make bench-vee` on {machine}, {system}, commit `{commit}`. Size {size}: {fields} simulated fields of
{modules_a_field} modules and {days} days each ({packets:,} packets, seeds {first_seed}–{last_seed}, which
no rule was looked at with), played through real Kafka, ingest and PostgreSQL. In each field something goes
wrong of every kind that the simulator knows, and hours are taken out of the packets of modules without a
fault, from one hour to three weeks. What was done is known: it is compared with what ingest says.

**In short.** Of {labels} faults that a rule should find, {labels_found} were found and {labels_missed}
missed. Of {findings:,} findings, {findings_false} have no reason that we know. {gap_totals_exact} of
{gap_totals} totals of estimated gaps are the truth to the last unit.

## Findings by rule

| rule | faults | found | missed | findings | of the fault | consequence | trap | false |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
{rules}

*Of the fault*: of the rule that should find it, about the same usage point, module or concentrator, at most
a day apart. *Consequence*: honestly follows from another fault: a silent concentrator loses hours, a
register that began anew does not fit its counts. *Trap*: nothing is wrong but it looks like it: nobody at
home for two weeks is a meter at zero, and a home that is heated up again uses more than it ever did.
*False*: none of these. A fault is found when one finding is of it; a fault that passes (an outage) when it
was found while it lasted.

{without_rule}

### Why false

{false}

### Why missed

{missed}

## Estimated hours

A gap between registers is estimated so that its total is what the registers say. Over whole days around
each gap, {gap_totals_exact} of {gap_totals} totals are the truth exactly; {gap_totals_not_comparable} more
lie beside hours in quarantine, or at modules whose register or clock itself was wrong, and have no such
truth.

How the total is spread over hours and days is a guess. Error of an hour, as a share of the mean true hour
of its gap, and of a day, as a share of its mean true day: median and ninth decile; beside it the plain way,
the same total spread evenly.

| | gaps | hour, median | p90 | evenly, median | p90 | day, median | p90 | evenly, median | p90 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{estimates}

Modules with weekly registers tell one number a week; their hours are that number, evenly.

## Clocks

{clocks}

## Batteries and silence

{batteries}

## The real dirty file

{real}

Versions: PostgreSQL {postgresql_version}, Kafka {kafka_version}, Python {python_version}, aiokafka
{aiokafka_version}, fastavro {fastavro_version}, numpy {numpy_version}, psycopg {psycopg_version}.
"""

WHY: Mapping[tuple[str, str], str] = {
    ("delivery.unpaid_sim", "gsm_outage"): (
        "a network outage of more than six days of a concentrator with mains and a good signal. From afar it "
        "is an unpaid subscription; the finding says *probably*, and is withdrawn when it is heard again"
    ),
    ("vee.stuck", "DAILY"): (
        "a home that is heated evenly and counts in coarse pulses: three of 100 L in each hour of a day. The "
        "rule takes three pulses for enough; ten would let it pass"
    ),
    ("vee.above_usual", "spike"): (
        "a home that uses much at times: the hour was less than three times its greatest of four weeks. "
        "After 2,000 hours `vee.spike` finds such an hour"
    ),
    ("vee.above_usual", "no fault"): (
        "a home that once in months really used that much in an hour; the rule asks, and is a warning"
    ),
}
"""What is known about a kind of false or missed finding: by rule and part of its circumstances."""


def page(report: Mapping[str, Any], judged: Judged, estimated: Estimated, real: Real | None) -> str:
    """The report in Markdown."""
    return _PAGE.format(
        **report,
        first_seed=report["seeds"][0],
        last_seed=report["seeds"][-1],
        gap_totals=estimated.exact + len(estimated.inexact),
        rules="\n".join(_rules(judged)),
        without_rule=_wrapped(_without_rule(judged)),
        false="\n".join(_why(judged.false_kinds)) or "There are none.",
        missed="\n".join(_why(judged.missed_kinds)) or "There are none.",
        estimates="\n".join(_estimates(estimated)),
        clocks="\n".join(map(_wrapped, _clocks(estimated))),
        batteries=_wrapped(_batteries(report, judged, estimated)),
        real="\n".join(map(_wrapped, _real(real))),
    )


def _wrapped(words: str) -> str:
    return textwrap.fill(words, 120, break_long_words=False, break_on_hyphens=False)


def _rules(judged: Judged) -> Iterator[str]:
    for rule in sorted({*judged.labels, *judged.findings}):
        counts, faults, found = judged.findings[rule], judged.labels[rule], judged.found[rule]
        whys = " | ".join(f"{counts[why]:,}" for why in (LABEL, CONSEQUENCE, TRAP, FALSE))
        yield f"| `{rule}` | {faults} | {found} | {faults - found} | {counts.total():,} | {whys} |"


def _without_rule(judged: Judged) -> str:
    kinds = [
        f"{count} × {kind} ({KINDS[kind].meaning})" for kind, count in sorted(judged.without_rule.items())
    ]
    return (
        "No rule of readings should find these; the data is whole, or only the balance of the group tells, "
        f"or the field was too young for a rule that learns: {'; '.join(kinds)}."
    )


def _why(kinds: Mapping[tuple[str, str], int]) -> Iterator[str]:
    counts: Counter[tuple[str, str]] = Counter()
    for (rule, circumstances), count in kinds.items():
        known = next((part for of, part in WHY if of == rule and part in circumstances), None)
        counts[rule, known or circumstances] += count
    for (rule, part), count in sorted(counts.items()):
        why = WHY.get((rule, part), "not looked into")
        yield _wrapped(f"- {count:,} × `{rule}` ({part}): {why}.").replace("\n", "\n  ")


def _estimates(estimated: Estimated) -> Iterator[str]:
    order = [words for _, words in vee_estimates.CLASSES] + [vee_estimates.WEEKLY, "longer"]
    for (resource, length), errors in sorted(
        estimated.errors.items(), key=lambda item: (item[0][0], order.index(item[0][1]))
    ):
        of = {"a": errors.hours, "b": errors.naive_hours, "c": errors.days, "d": errors.naive_days}
        cells = " | ".join(
            "" if share is None else f"{share:.0f} %" for share in vee_estimates.figures(of).values()
        )
        yield f"| {resource.lower()}, {length} | {errors.gaps} | {cells} |"


def _clocks(estimated: Estimated) -> Iterator[str]:
    if not estimated.clock:
        yield "No module's clock was wrong."
        return
    yield (
        "Clocks of modules 5 to 15 minutes wrong, and drifting. Differences of hours from what really flowed "
        "in them, as a share of all that flowed, median of the meters; of single hours, and of the usual day "
        "(the mean of each hour of the day). The meter's own error is taken out."
    )
    yield ""
    yield "| | meters | hours, as counted | as moved | usual day, as counted | as moved |"
    yield "|---|---:|---:|---:|---:|---:|"
    for resource in sorted({key.partition("_")[0] for key in estimated.clock}):
        of = [
            estimated.clock[f"{resource}_{way}_{what}"]
            for what in ("hours", "usual_day")
            for way in ("counted", "moved")
        ]
        cells = " | ".join(f"{median(shares):.1%}" for shares in of)
        yield f"| {resource} | {len(of[0])} | {cells} |"
    yield ""
    yield (
        "Nobody knows when within its hour something flowed: moving shares of hours mends the usual day and "
        "blurs single hours. With independent hours of equal spread s, an offset of the share f of an hour "
        "costs s·f·√2 when it is left and s·f·(1 − f)·√6 when it is moved: moving pays from 25 minutes on."
    )


def _batteries(report: Mapping[str, Any], judged: Judged, estimated: Estimated) -> str:
    rules = ("delivery.battery", "delivery.silent_concentrator", "delivery.unpaid_sim")
    words = ", ".join(
        f"`{rule}` {judged.found[rule]} of {judged.labels[rule]}, {judged.findings[rule][FALSE]} false"
        for rule in rules
    )
    days = estimated.battery_days
    if days:
        words += (
            f". For {len(days)} batteries that died the table of lives has a row; its forecast was off by at "
            f"most {report['battery_forecast_off_most_days']} days. The others were told by their voltage. "
            "The simulator takes the lives of the same table, so this shows the arithmetic and not the table"
        )
    return f"Found {words}."


def _real(real: Real | None) -> Iterator[str]:
    if real is None:
        yield "Not played in this size."
        return
    yield (
        f"Raw registers of {real.homes} homes as they came, {real.readings:,} hourly values. Known by "
        "looking at them one by one: two devices under one key, and registers that fall."
    )
    yield ""
    yield "| rule | known | found | missed | others |"
    yield "|---|---:|---:|---:|---:|"
    for rule in sorted({*real.known, *real.others}):
        known, found = real.known[rule], real.found[rule]
        yield f"| `{rule}` | {known} | {found} | {known - found} | {real.others[rule]} |"
    yield ""
    if real.others["delivery.silent_module"]:
        yield (
            f"`delivery.silent_module`: {real.others['delivery.silent_module']} homes are heard no more "
            "before the file ends."
        )
        yield ""
    yield (
        f"Beside these, {real.missing_days:,} days with hours that the file lacks (`vee.missing`), which "
        "nobody had listed."
    )
