"""The table a manager understands: imbalance with tolerance and coverage, verdict, what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import psycopg
from rich.table import Table
from rich.text import Text

from balance_local import screen
from balance_local.group_spans import Figures, GroupSpan
from balance_local.screen import Screen

WIDE = 120
"""Columns from which everything stands in one line."""

_WORDS = {
    "WITHIN_TOLERANCE": ("within tolerance", "green"),
    "LOSS": ("LOSS", "bold red"),
    "SURPLUS": ("SURPLUS", "bold red"),
    "UNDECIDED": ("unreliable", "yellow"),
}
_NOT_COMPUTABLE = ("not computable", "dim")
_DECIDED = ("WITHIN_TOLERANCE", "LOSS", "SURPLUS")
_RULES = {
    "vee.two_devices": "has two devices under one key",
    "vee.negative_consumption": "has a register that falls",
    "vee.high": "shows more than its meter can",
    "vee.sum_check": "has hours that its registers contradict",
    "vee.conflicting_duplicate": "has two reports that differ",
}


@dataclass(frozen=True)
class Known:
    """What is known of usage points that miss something.

    Their concentrator, why they are quarantined, and which of them supply a group.
    """

    concentrators: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    supplies: Set[str] = frozenset()


def reasons(dsn: str) -> dict[str, str]:
    """Why usage points are quarantined, by the newest open finding that keeps values out of the balance."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "select usage_point_id, rule from ingest.v_findings"
            " where state = 'OPEN' and severity = 'ERROR' and usage_point_id is not null"
            " order by interval_start_at"
        ).fetchall()
    return {str(name): _RULES.get(rule, str(rule)) for name, rule in rows}


def show(on: Screen, title: str, spans: Sequence[GroupSpan], known: Known) -> None:
    """Print the spans; on a narrow screen what is missing stands below."""
    missing = {span.group_id: _missing(span, known) for span in spans}
    wide = on.console.width >= WIDE
    table = _table(on, title, spans[0].figures.unit, "group")
    if wide:
        table.add_column("what is missing")
    for span in spans:
        figures = span.figures
        name = f"{span.group_id} ({figures.members_due})" if wide else span.group_id
        cells = _cells(on, figures, name, span.verdict, _since(span), wide=wide)
        table.add_row(*cells, *([on.text(missing[span.group_id])] if wide else []))
    on.console.print(table)
    for name, words in missing.items():
        if words and not wide:
            on.say(f"{name}: {words}")


def show_months(on: Screen, spans: Sequence[GroupSpan]) -> None:
    """Print the months of each group that has them."""
    for span in spans:
        if span.months:
            table = _table(on, f"{span.group_id} by month", span.figures.unit, "month")
            for month in span.months:
                wide = on.console.width >= WIDE
                table.add_row(*_cells(on, month, f"{month.month:%Y-%m}", month.verdict, wide=wide))
            on.console.print(table)


def _table(on: Screen, title: str, unit: str, first: str) -> Table:
    wide = on.console.width >= WIDE
    on.say(f"{title}, in {screen.unit_of(unit)}", "bold")
    table = Table(
        box=on.box,
        pad_edge=False,
        show_edge=wide,
        padding=(0, 1) if wide else (0, 1, 0, 0),
    )
    table.add_column(first, no_wrap=True)
    for name in ("supply", "members", "imbalance", "", "tolerance" if wide else "±"):
        table.add_column(on.text(name), justify="right", no_wrap=True)
    for name in ("coverage", "verdict"):
        table.add_column(name, no_wrap=True)
    return table


def _cells(
    on: Screen, of: Figures, name: str, verdict: str, since: str = "", *, wide: bool
) -> list[str | Text]:
    """A row. What is not reliable has no imbalance to be quoted."""
    imbalance, allowed = (of.imbalance, of.tolerance) if verdict in _DECIDED else (None, None)
    relative = imbalance / of.supply if imbalance is not None and of.supply else None
    tolerance = allowed / of.supply if allowed is not None and of.supply else None
    amounts = [
        screen.amount(of.supply, of.unit),
        screen.amount(of.members, of.unit),
        screen.amount(imbalance, of.unit, signed=True),
        screen.percent(relative, signed=True) if relative is not None else "",
        f"±{screen.percent(tolerance)}" if tolerance is not None else "—",
    ]
    if not wide:
        amounts = [cell.replace(" %", "%") for cell in amounts]
    words, style = _NOT_COMPUTABLE if of.coverage == "NOT_COMPUTABLE" else _WORDS[verdict]
    return [
        name,
        *(on.text(cell) for cell in amounts),
        on.text(_coverage(of, wide=wide)),
        Text(on.text(words + since), style=style),
    ]


def _since(span: GroupSpan) -> str:
    return f" since {screen.day(span.local(span.since))}" if span.since else ""


def _coverage(of: Figures, *, wide: bool) -> str:
    """`58 of 60` on the worst day, `est.` when the rest entered as estimates, and the days left out."""
    heard, due = of.members_reported, of.members_due
    words = f"{heard} of {due}" if wide else f"{heard}/{due}"
    if of.coverage == "ESTIMATED" and heard < due:
        words += " est."
    left_out = of.days_due - of.days_computable
    return f"{words}, {left_out} day{'s' if left_out > 1 else ''} left out" if left_out and wide else words


def _when(span: GroupSpan) -> str:
    """When something was missing: nothing for all the time, else since a day, on a day, or between two."""
    days = span.incomplete
    if not days or days == list(span.days):
        return ""
    first, last = (screen.day(span.local(day)) for day in (days[0], days[-1]))
    if days[-1] is span.days[-1]:
        return f" since {first}" if days[0] is not span.days[0] else ""
    return f" on {first}" if first == last else f" between {first} and {last}"


def _missing(span: GroupSpan, known: Known) -> str:
    """What is not there: supply meters; a concentrator when all hangs on one; else usage points and why."""
    when = _when(span)
    supply = [
        f"supply meter {name} not heard all the time" for name in span.missing if name in known.supplies
    ]
    names = [name for name in span.missing if name not in known.supplies]
    behind = {known.concentrators.get(name) for name in names}
    several = len(set(known.concentrators.values())) > 1  # of a single one nobody can tell
    if len(names) > 2 and len(behind) == 1 and several:
        return ", ".join([*supply, f"concentrator {behind.pop()} silent{when}"])
    shown = names[: 1 if supply else 2]
    told = [f"{name} {known.reasons.get(name) or _silence(span, name)}" for name in shown]
    when *= all(name in known.reasons or _gaps(span, name) < 2 for name in shown)
    more = [f"{len(names) - len(told)} more"] if len(names) > len(told) else []
    return ", ".join([*supply, *told]) + when * bool(told) + "".join(f", and {words}" for words in more)


def _gaps(span: GroupSpan, name: str) -> int:
    """On how many days something of it is missing, when it came back from that; 0 when it is gone."""
    missed = [name in day.missing_usage_points for day in span.days]
    return sum(missed) if not missed[-1] else 0


def _silence(span: GroupSpan, name: str) -> str:
    gaps = _gaps(span, name)
    if gaps > 1:
        return f"has gaps on {gaps} of {len(span.days)} days"
    return "has a gap" if gaps else "not heard"
