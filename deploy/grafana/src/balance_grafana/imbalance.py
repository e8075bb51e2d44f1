"""Imbalance: every group by its verdict, and one group down to its hours."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import stat, statushistory, table, timeseries
from grafana_foundation_sdk.models import dashboard as models

from balance_grafana import group
from balance_grafana.meaning import AMBER, COVERAGES, GREEN, GREY, NUMBERED, RED, VERDICTS, mapping
from balance_grafana.parts import (
    SHOWN_UNIT,
    Column,
    a_table,
    amount,
    bars,
    choice,
    figures,
    lines,
    link,
    squares,
    with_all,
)

UID = "balance-imbalance"
CHOSEN = "resource IN (${resource:sqlstring})"
ONE = Column(
    "group_id",
    link=("This group alone", f"/d/{UID}?var-group=${{__data.fields.group_id}}&${{__url_time_range}}"),
)
WORST_FIRST = (
    "array_position(ARRAY['LOSS', 'SURPLUS', 'UNDECIDED', 'WITHIN_TOLERANCE'], verdict_7d), "
    "abs(relative_imbalance_7d) DESC NULLS LAST, group_id"
)
"""Order of groups: those to look at first."""


def dashboard() -> builders.Dashboard:
    """All groups, and below them the one chosen; it opens on the last thirty days."""
    made = (
        builders.Dashboard("Imbalance")
        .uid(UID)
        .description(
            "Balance groups by verdict, the worst first; one group with its hours, days, months and "
            "missing members."
        )
        .tags(["balance"])
        .readonly()
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-30d", "now")
        .refresh("5m")
        .link(link("Deliveries", "balance-deliveries"))
        .with_variable(
            with_all(
                choice(
                    "resource",
                    "Resource",
                    "Gas, water, heat …",
                    "SELECT DISTINCT resource FROM imbalance.v_group_states ORDER BY 1",
                )
            ).multi(True)
        )
        .with_variable(
            choice(
                "group",
                "Group",
                "The group below",
                f"""
                SELECT group_id AS __value, name || ' (' || group_id || ')' AS __text
                FROM imbalance.v_group_states
                WHERE {CHOSEN}
                ORDER BY {WORST_FIRST}
                """,
            )
        )
        .with_row(builders.Row("All groups"))
        .with_panel(now())
        .with_panel(groups())
        .with_panel(worst())
        .with_panel(trend())
        .with_panel(share())
        .with_panel(coverage())
        .with_panel(heard())
        .with_row(builders.Row("Group $group"))
    )
    for panel in group.panels():
        made = made.with_panel(panel)
    return made


def now() -> stat.Panel:
    """How many groups lose, gain, are unreliable, fit."""
    return figures(
        "Groups now",
        "By the seven days that end with each group's newest day: the verdict, and what stands in its way.",
        f"""
        SELECT
            count(*) FILTER (WHERE verdict_7d = 'LOSS') AS losing,
            count(*) FILTER (WHERE verdict_7d = 'SURPLUS') AS surplus,
            count(*) FILTER (WHERE verdict_7d = 'UNDECIDED') AS unreliable,
            count(*) FILTER (WHERE verdict_7d = 'WITHIN_TOLERANCE') AS fine,
            count(*) FILTER (WHERE problems <> '{{}}') AS "with a fault in the register"
        FROM imbalance.v_group_states
        WHERE {CHOSEN}
        """,
        [
            Column("losing", steps=((None, GREEN), (1.0, RED))),
            Column("surplus", steps=((None, GREEN), (1.0, RED))),
            Column("unreliable", steps=((None, GREEN), (1.0, AMBER))),
            Column("fine", colour=GREEN),
            Column("with a fault in the register", steps=((None, GREEN), (1.0, AMBER))),
        ],
    )


def groups() -> table.Panel:
    """Every group in a line, the worst first."""
    return a_table(
        "Groups, the worst first",
        "Seven and thirty days that end with the group's newest day. Within ± tolerance nothing can be "
        "said. Reported: members heard all day. "
        "Changed since: an onset "
        "that stands. Alarm: hours out of the ordinary now. A click on a group shows it below.",
        f"""
        SELECT
            group_id,
            name,
            lower(resource) AS resource,
            verdict_7d AS "7 days",
            {amount("imbalance_7d")} / 7 AS "imbalance a day",
            {SHOWN_UNIT} AS unit,
            relative_imbalance_7d AS "of supply",
            tolerance_7d::double precision / nullif(supply_7d, 0) AS "± tolerance",
            coverage_7d AS coverage,
            verdict_30d AS "30 days",
            onset_since_day AS "changed since",
            CASE WHEN hour_alarm_ended_at IS NULL THEN hour_alarm_start_at END AS "alarm since",
            members_reported || ' of ' || members_due AS reported,
            missing,
            unmetered,
            array_to_string(problems, ', ') AS problems,
            day_start AS "newest day"
        FROM imbalance.v_group_states
        WHERE {CHOSEN}
        ORDER BY {WORST_FIRST}
        """,
        [
            ONE,
            Column("7 days", words=mapping(VERDICTS)),
            Column("30 days", words=mapping(VERDICTS)),
            Column("coverage", words=mapping(COVERAGES)),
            Column("imbalance a day", decimals=1),
            Column("of supply", unit="percentunit", decimals=1),
            Column("± tolerance", unit="percentunit", decimals=1),
            Column("missing", steps=((None, GREEN), (1.0, AMBER))),
            Column("unmetered", steps=((None, GREEN), (1.0, RED))),
        ],
    )


def worst() -> statushistory.Panel:
    """A square a day for the thirty worst groups."""
    numbers = " ".join(f"WHEN verdict = '{verdict}' THEN {number}" for verdict, number in NUMBERED.items())
    return squares(
        "Map of the worst groups",
        "A line a group, the thirty worst of the last seven days; a square a day, coloured by its "
        "verdict. A column of one colour is one cause for many; "
        "a line that turns is an onset.",
        f"""
        SELECT
            day_start AS time,
            group_id AS metric,
            CASE WHEN coverage = 'NOT_COMPUTABLE' THEN {NUMBERED["NOT_COMPUTABLE"]} {numbers} END AS verdict
        FROM imbalance.v_group_days
        WHERE $__timeFilter(day_start) AND group_id IN (
            SELECT group_id FROM imbalance.v_group_states WHERE {CHOSEN} ORDER BY {WORST_FIRST} LIMIT 30
        )
        ORDER BY day_start, group_id
        """,
    )


def trend() -> timeseries.Panel:
    """Groups by verdict, day by day."""
    words = " ".join(f"WHEN '{verdict}' THEN '{word}'" for verdict, (word, _) in VERDICTS.items())
    return bars(
        "Groups by verdict",
        "Each day by itself. Late data moves the last days from unreliable to a verdict.",
        f"""
        SELECT day_start AS time, CASE verdict {words} END AS metric, count(*) AS groups
        FROM imbalance.v_group_days
        WHERE $__timeFilter(day_start) AND {CHOSEN}
        GROUP BY day_start, verdict
        ORDER BY day_start
        """,
        "short",
        [Column(word, colour=colour) for word, colour in VERDICTS.values()],
    )


def share() -> timeseries.Panel:
    """What all decided groups lose, of what they were supplied."""
    return lines(
        "Imbalance of all groups, of supply",
        "By resource: the sum over groups whose day has a verdict. One group alone is judged by its own "
        "tolerance.",
        f"""
        SELECT
            day_start AS time,
            lower(resource) AS metric,
            sum(imbalance)::double precision / nullif(sum(supply), 0) AS share
        FROM imbalance.v_group_days
        WHERE $__timeFilter(day_start) AND verdict <> 'UNDECIDED' AND {CHOSEN}
        GROUP BY day_start, resource
        ORDER BY day_start
        """,
        "percentunit",
    )


def coverage() -> timeseries.Panel:
    """Groups by coverage, day by day."""
    words = " ".join(f"WHEN '{one}' THEN '{word}'" for one, (word, _) in COVERAGES.items())
    return bars(
        "Groups by coverage",
        "Complete: everybody was heard. Estimated: the rest is estimated, with its uncertainty. "
        "Unreliable: too much of it. Not computable: no supply.",
        f"""
        SELECT day_start AS time, CASE coverage {words} END AS metric, count(*) AS groups
        FROM imbalance.v_group_days
        WHERE $__timeFilter(day_start) AND {CHOSEN}
        GROUP BY day_start, coverage
        ORDER BY day_start
        """,
        "short",
        [Column(word, colour=colour) for word, colour in COVERAGES.values()],
    )


def heard() -> timeseries.Panel:
    """Members that reported, of those due."""
    return lines(
        "Members heard",
        "Members that reported all hours of the day, of those due; and the consumption that the others "
        "stand for.",
        f"""
        SELECT
            day_start AS time,
            sum(members_reported)::double precision / nullif(sum(members_due), 0) AS reported,
            avg(missing_share) AS "consumption estimated"
        FROM imbalance.v_group_days
        WHERE $__timeFilter(day_start) AND {CHOSEN}
        GROUP BY day_start
        ORDER BY day_start
        """,
        "percentunit",
        [Column("reported", colour=GREEN), Column("consumption estimated", colour=GREY)],
    )
