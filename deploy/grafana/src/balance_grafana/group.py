"""One group: its state, its hours, days and longer spans with their tolerance, its nights, who is missing."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from balance_grafana.meaning import AMBER, BLUE, COVERAGES, GREEN, GREY, LIGHT_BLUE, RED, VERDICTS, mapping
from balance_grafana.parts import HALF, SHOWN_UNIT, WIDTH, Column, a_table, amount, band, figures, lines

IT = "group_id = ${group:sqlstring}"
SPANS = ("24 h", "7 d", "30 d")
BAND = (
    "The band is what meters, pulses, clocks and estimates may account for, above also what idle meters may "
    "not have registered: inside it nothing can be said."
)
DASHED = (("custom.lineStyle", {"fill": "dash", "dash": [6, 6]}), ("custom.lineWidth", 1))
EDGES = f"""
            -{amount("tolerance")} AS "lower edge",
            {amount("(tolerance + unregistered)")} AS "upper edge","""
POINT = Column("usage_point_id", width=320)


def panels() -> Sequence[Builder[models.Panel]]:
    """From the answer down to the details."""
    return [
        now(),
        hours(),
        flows(),
        days(),
        rolling(),
        night(),
        missing(),
        versions(),
        months(),
    ]


def now() -> stat.Panel:
    """The answer in words."""
    return figures(
        "$group now",
        "The seven days that end with its newest day; missing and unmetered are of the newest day.",
        f"""
        SELECT
            verdict_7d AS "7 days",
            verdict_30d AS "30 days",
            relative_imbalance_7d AS "of supply",
            tolerance_7d::double precision / nullif(supply_7d, 0) AS "± tolerance",
            coverage_7d AS coverage,
            members_due AS members,
            missing,
            unmetered,
            coalesce(nullif(array_to_string(problems, ', '), ''), 'none') AS "faults in the register"
        FROM imbalance.v_group_states
        WHERE {IT}
        """,
        [
            Column("7 days", words=mapping(VERDICTS)),
            Column("30 days", words=mapping(VERDICTS)),
            Column("coverage", words=mapping(COVERAGES)),
            Column("of supply", unit="percentunit", decimals=1),
            Column("± tolerance", unit="percentunit", decimals=1),
            Column("missing", steps=((None, GREEN), (1.0, AMBER))),
            Column("unmetered", steps=((None, GREEN), (1.0, RED))),
        ],
    )


def hours() -> timeseries.Panel:
    """Imbalance by hour in its band."""
    return lines(
        "Imbalance by hour (m³ or kWh)",
        f"Supply less members. {BAND} A gap: the hour is not computable.",
        f"""
        SELECT
            start_at AS time,{EDGES}
            CASE WHEN coverage <> 'UNRELIABLE' THEN {amount("imbalance")} END AS imbalance,
            CASE WHEN coverage = 'UNRELIABLE' THEN {amount("imbalance")} END AS unreliable
        FROM imbalance.v_group_hours
        WHERE $__timeFilter(day_start) AND {IT}
        ORDER BY start_at
        """,
        "short",
        [
            *band("lower edge", "upper edge"),
            Column("imbalance", colour=BLUE),
            Column("unreliable", colour=AMBER),
        ],
    ).span(WIDTH)


def flows() -> timeseries.Panel:
    """Supply and members by hour."""
    return lines(
        "Supply and members by hour (m³ or kWh)",
        "The common meter and the sum of the members, missing ones estimated.",
        f"""
        SELECT start_at AS time, {amount("supply")} AS supply, {amount("members")} AS members
        FROM imbalance.v_group_hours
        WHERE $__timeFilter(day_start) AND {IT}
        ORDER BY start_at
        """,
        "short",
        [Column("supply", colour=GREY), Column("members", colour=BLUE)],
    )


def days() -> timeseries.Panel:
    """Imbalance by day in its band."""
    return lines(
        "Imbalance by day (m³ or kWh)",
        f"{BAND} A day that is unreliable stands in amber. At least and at most: had the missing used what "
        "they used at most, or nothing.",
        f"""
        SELECT
            day_start AS time,{EDGES}
            CASE WHEN coverage <> 'COMPLETE' THEN {amount("imbalance_lowest")} END AS "at least",
            CASE WHEN coverage <> 'COMPLETE' THEN {amount("imbalance_highest")} END AS "at most",
            CASE WHEN verdict <> 'UNDECIDED' THEN {amount("imbalance")} END AS imbalance,
            CASE WHEN verdict = 'UNDECIDED' THEN {amount("imbalance")} END AS unreliable
        FROM imbalance.v_group_days
        WHERE $__timeFilter(day_start) AND {IT}
        ORDER BY day_start
        """,
        "short",
        [
            *band("lower edge", "upper edge"),
            Column("at least", colour=GREY, properties=DASHED),
            Column("at most", colour=GREY, properties=DASHED),
            Column("imbalance", colour=BLUE),
            Column("unreliable", colour=AMBER),
        ],
    )


def rolling() -> timeseries.Panel:
    """Rolling spans as shares of supply."""
    names = ", ".join(
        f"max(relative_imbalance) FILTER (WHERE span = '{span}') AS \"{span}\"" for span in SPANS
    )
    return lines(
        "Rolling imbalance, of supply",
        "The 24 hours that end with each hour, the 7 and 30 days that end with each day. The shorter "
        "sees an onset sooner, the longer more surely; "
        "the band is the tolerance of the 7 days.",
        f"""
        SELECT
            end_at AS time,
            -max(tolerance::double precision / nullif(supply, 0)) FILTER (WHERE span = '7 d') AS "lower edge",
            max(tolerance::double precision / nullif(supply, 0)) FILTER (WHERE span = '7 d') AS "upper edge",
            {names}
        FROM imbalance.v_group_rolling
        WHERE $__timeFilter(day_start) AND {IT}
        GROUP BY end_at
        ORDER BY end_at
        """,
        "percentunit",
        [
            *band("lower edge", "upper edge"),
            Column("24 h", colour=LIGHT_BLUE),
            Column("7 d", colour=BLUE),
            Column("30 d", colour=GREY),
        ],
    ).span_nulls(True)


def night() -> timeseries.Panel:
    """Night flow by day."""
    return lines(
        "Night flow (m³ or kWh an hour)",
        "Imbalance of an hour between 02:00 and 04:00, and of an hour of the whole day. What flows when "
        "nobody consumes leaks: a permanent loss shows here although it never changes.",
        f"""
        SELECT
            day_start AS time,
            {amount("night_imbalance")} / nullif(night_hours, 0) AS "night flow",
            {amount("imbalance")} * 3600 / extract(epoch FROM end_at - start_at) AS "all hours"
        FROM imbalance.v_group_days
        WHERE $__timeFilter(day_start) AND {IT}
        ORDER BY day_start
        """,
        "short",
        [Column("night flow", colour=BLUE), Column("all hours", colour=GREY)],
    )


def missing() -> table.Panel:
    """Members and supply meters that did not report."""
    return a_table(
        "Who is missing",
        "Members and supply meters that did not report all their hours, in the span chosen above: on how "
        "many days, and the last of them.",
        f"""
        SELECT m.usage_point_id, count(*) AS days, min(d.day_start) AS first, max(d.day_start) AS last
        FROM imbalance.v_group_days d
        CROSS JOIN LATERAL unnest(d.missing_usage_points) AS m (usage_point_id)
        WHERE $__timeFilter(d.day_start) AND d.{IT}
        GROUP BY m.usage_point_id
        ORDER BY last DESC, days DESC, m.usage_point_id
        """,
        [POINT, Column("days", steps=((None, GREEN), (1.0, AMBER), (7.0, RED)))],
    ).span(HALF)


def months() -> table.Panel:
    """Months with the columns of water and of gas."""
    return a_table(
        "Months",
        "Computed from the group-days that there are. Water: system input, billed metered and unmetered, "
        "losses, minimum night flow an hour and night losses (IWA). Gas: "
        "unaccounted for (UFG) and its share.",
        f"""
        SELECT
            to_char(month, 'YYYY-MM') AS month,
            {amount("supply")} AS supply,
            {amount("members")} AS members,
            {amount("imbalance")} AS imbalance,
            {SHOWN_UNIT} AS unit,
            relative_imbalance AS "of supply",
            {amount("tolerance")} AS "± tolerance",
            verdict,
            coverage,
            days_computable || ' of ' || days_due AS days,
            {amount("billed_metered")} AS "billed metered",
            {amount("billed_unmetered")} AS "billed unmetered",
            {amount("minimum_night_flow")} AS "min. night flow",
            {amount("night_losses_a_day")} AS "night losses a day",
            unaccounted_for_gas_share AS "UFG"
        FROM imbalance.v_group_months
        WHERE day_start > $__timeFrom()::timestamptz - INTERVAL '31 days'
            AND day_start <= $__timeTo()::timestamptz AND {IT}
        ORDER BY month DESC
        """,
        [
            *(Column(name, decimals=1) for name in ("supply", "members", "imbalance", "± tolerance")),
            *(
                Column(name, decimals=1)
                for name in ("billed metered", "billed unmetered", "min. night flow", "night losses a day")
            ),
            Column("of supply", unit="percentunit", decimals=1),
            Column("UFG", unit="percentunit", decimals=1),
            Column("verdict", words=mapping(VERDICTS)),
            Column("coverage", words=mapping(COVERAGES)),
        ],
    )


def versions() -> table.Panel:
    """Days whose figures changed after the first time."""
    return a_table(
        "Computed again",
        "Days whose figures changed after they were first computed, newest change first: late data, "
        "corrections, or a recomputation.",
        f"""
        SELECT
            day_start AS day,
            computed_at AS changed,
            version,
            algorithm_version AS algorithm,
            {amount("(previous ->> 'imbalance')::bigint")} AS before,
            {amount("imbalance")} AS after,
            verdict,
            CASE WHEN is_recomputation THEN 'rules or settings' ELSE 'data or register' END AS because
        FROM imbalance.v_group_days
        WHERE $__timeFilter(day_start) AND {IT} AND version > 1
        ORDER BY computed_at DESC
        LIMIT 100
        """,
        [
            Column("before", decimals=2),
            Column("after", decimals=2),
            Column("verdict", words=mapping(VERDICTS)),
        ],
    ).span(HALF)
