"""Deliveries: what was expected of modules and concentrators, what came, and why the rest did not."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models import dashboard as models

from balance_grafana.meaning import AMBER, BLUE, GREEN, GREY, LIGHT_BLUE, RED, STATUSES, mapping, yes_or_no
from balance_grafana.parts import HALF, Column, a_table, bars, choice, figures, lines, link, with_all

UID = "balance-deliveries"
ONE = f"/d/{UID}?var-concentrator=${{__data.fields.concentrator_id}}&${{__url_time_range}}"
BEHIND = Column("concentrator_id", link=("Deliveries behind this concentrator", ONE))
CHOSEN = "coalesce(concentrator_id, '') LIKE '${concentrator:raw}'"
"""Condition of the concentrator chosen above; all of them when it is %."""
SILENT_STEPS = ((None, AMBER), (5.0, RED))
"""Days of silence: from the fifth on somebody has to go there."""


def dashboard() -> builders.Dashboard:
    """The dashboard; it opens on the last seven days."""
    return (
        builders.Dashboard("Deliveries")
        .uid(UID)
        .description(
            "Expected against received, silence, backlog, unpaid SIM cards, batteries, concentrators."
        )
        .tags(["balance"])
        .readonly()
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-7d", "now")
        .refresh("5m")
        .link(link("Imbalance", "balance-imbalance"))
        .with_variable(
            with_all(
                choice(
                    "concentrator",
                    "Concentrator",
                    "Modules that it is set to gather",
                    "SELECT concentrator_id FROM ingest.v_concentrators WHERE NOT deleted ORDER BY 1",
                )
            ).all_value("%")
        )
        .with_panel(now())
        .with_panel(expected_and_received())
        .with_panel(by_status())
        .with_panel(concentrators())
        .with_panel(behind_concentrators())
        .with_panel(modules())
        .with_panel(backlog())
        .with_panel(backlogs_left())
        .with_panel(batteries())
        .with_panel(findings())
    )


def now() -> stat.Panel:
    """The answer first: how many are silent, blind, unpaid, running out."""
    bad = ((None, GREEN), (1.0, RED))
    doubtful = ((None, GREEN), (1.0, AMBER))
    return figures(
        "Now",
        "Silent: not heard for 48 h longer than its packet plan allows. Blind flats hang on silent "
        "modules. Probably unpaid: silent for "
        "5 days, last heard on the mains and with a good signal. Batteries: forecast to be empty within "
        "90 days, below 3.3 V, or so reported.",
        """
        SELECT
            c.silent AS "silent concentrators",
            m.silent AS "silent modules",
            c.blind AS "blind flats",
            c.unpaid AS "probably unpaid",
            c.backlogs AS "backlogs to come",
            c.batteries + m.batteries AS "batteries to change"
        FROM (
            SELECT
                count(silent_since) AS silent,
                coalesce(sum(blind_usage_points), 0) AS blind,
                count(*) FILTER (WHERE probably_unpaid) AS unpaid,
                count(*) FILTER (WHERE backlog_expected) AS backlogs,
                count(battery_finding) AS batteries
            FROM ingest.v_concentrators
        ) c
        CROSS JOIN (
            SELECT count(silent_since) AS silent, count(battery_finding) AS batteries FROM ingest.v_modules
        ) m
        """,
        [
            Column("silent concentrators", steps=bad),
            Column("silent modules", steps=doubtful),
            Column("blind flats", steps=doubtful),
            Column("probably unpaid", steps=bad),
            Column("backlogs to come", steps=doubtful),
            Column("batteries to change", steps=doubtful),
        ],
    )


def expected_and_received() -> timeseries.Panel:
    """Hours expected and received by day."""
    return lines(
        "Expected against received",
        "Hours of channels by metering day. The last days fill up: what is not due yet is awaited, not "
        "missing.",
        f"""
        SELECT day_start AS time, sum(expected_hours) AS expected, sum(received_hours) AS received
        FROM ingest.v_deliveries
        WHERE $__timeFilter(day_start) AND {CHOSEN}
        GROUP BY day_start
        ORDER BY day_start
        """,
        "short",
        [Column("expected", colour=GREY), Column("received", colour=BLUE)],
    )


def by_status() -> timeseries.Panel:
    """Channels by what came of them, by day."""
    words = " ".join(f"WHEN '{status}' THEN '{word}'" for status, (word, _) in STATUSES.items())
    return bars(
        "Channels by what came",
        "Received: all of the day. Awaited: not due yet by its packet plan. Partial, missing: due, and "
        "some or all of it is not there.",
        f"""
        SELECT day_start AS time, CASE status {words} END AS metric, count(*) AS channels
        FROM ingest.v_deliveries
        WHERE $__timeFilter(day_start) AND {CHOSEN}
        GROUP BY day_start, status
        ORDER BY day_start
        """,
        "short",
        [Column(word, colour=colour) for word, colour in STATUSES.values()],
    )


def concentrators() -> table.Panel:
    """Concentrators, the silent ones with most blind flats first."""
    return a_table(
        "Concentrators",
        "Those that are silent and leave most flats blind first. Power and signal as it last said. "
        "Probably unpaid: ask who pays its SIM card.",
        f"""
        SELECT
            concentrator_id,
            array_to_string(object_path, ', ') AS place,
            silent_since,
            extract(epoch FROM max(heard_at) OVER () - silent_since) / 86400.0 AS "silent days",
            blind_usage_points AS "blind flats",
            silent_modules AS "silent modules",
            modules,
            probably_unpaid AS unpaid,
            sim_payer AS payer,
            backlog_packets AS backlog,
            power,
            signal_dbm AS signal,
            session_plan AS plan,
            heard_at AS "last heard",
            battery_finding AS battery
        FROM ingest.v_concentrators
        WHERE NOT deleted AND {CHOSEN}
        ORDER BY silent_since IS NULL, blind_usage_points DESC, concentrator_id
        """,
        [
            BEHIND,
            Column("silent days", unit="d", decimals=1, steps=SILENT_STEPS),
            Column("unpaid", words=yes_or_no("probably unpaid", RED)),
            Column("signal", unit="dBm", steps=((None, RED), (-105.0, AMBER), (-95.0, GREEN))),
            Column("blind flats", steps=((None, GREEN), (1.0, AMBER))),
        ],
    )


def behind_concentrators() -> table.Panel:
    """Delivery over the span by concentrator."""
    return a_table(
        "Share received, by concentrator",
        "Of the hours that were due in the span chosen above. A link narrows the dashboard to one "
        "concentrator.",
        f"""
        SELECT
            coalesce(concentrator_id, '') AS concentrator_id,
            count(DISTINCT module_id) AS modules,
            sum(expected_hours) AS expected,
            sum(received_hours) AS received,
            sum(least(received_hours, expected_hours))::double precision
                / nullif(sum(expected_hours), 0) AS share,
            count(*) FILTER (WHERE status = 'MISSING') AS "channel days missing"
        FROM ingest.v_deliveries
        WHERE $__timeFilter(day_start) AND due AND {CHOSEN}
        GROUP BY 1
        ORDER BY share NULLS LAST
        """,
        [
            BEHIND,
            Column("share", unit="percentunit", decimals=1, steps=((None, RED), (0.9, AMBER), (0.99, GREEN))),
        ],
    ).span(HALF)


def modules() -> table.Panel:
    """Channels with most hours missing in the span."""
    return a_table(
        "Channels that lack most",
        "Due days of the span chosen above: hours that did not come, and since when the module is silent.",
        f"""
        SELECT
            d.usage_point_id AS flat,
            module_id AS module,
            d.channel,
            d.concentrator_id,
            d.packet_mode AS plan,
            sum(greatest(d.expected_hours - d.received_hours, 0)) AS "hours missing",
            count(*) FILTER (WHERE d.status IN ('MISSING', 'PARTIAL')) AS days,
            m.silent_since,
            m.signal_dbm AS signal
        FROM ingest.v_deliveries d
        LEFT JOIN (SELECT module_id, silent_since, signal_dbm FROM ingest.v_modules) m USING (module_id)
        WHERE $__timeFilter(d.day_start) AND d.due AND d.status IN ('MISSING', 'PARTIAL')
            AND {CHOSEN}
        GROUP BY 1, 2, 3, 4, 5, 8, 9
        ORDER BY "hours missing" DESC, days DESC, module_id
        LIMIT 200
        """,
        [BEHIND, Column("hours missing", unit="h"), Column("signal", unit="dBm")],
    ).span(HALF)


def backlog() -> timeseries.Panel:
    """Packets by lane."""
    return bars(
        "Packets received, live and from backlogs",
        "By hour of receipt. Backlog: packets older than 48 h, from concentrators that are back; they "
        "travel beside today's.",
        """
        SELECT date_trunc('hour', received_at) AS time, lower(lane) AS metric, count(*) AS packets
        FROM ingest.v_sessions
        WHERE $__timeFilter(received_at) AND concentrator_id LIKE '${concentrator:raw}'
        GROUP BY 1, 2
        ORDER BY 1
        """,
        "short",
        [Column("live", colour=BLUE), Column("backlog", colour=LIGHT_BLUE)],
    )


def backlogs_left() -> table.Panel:
    """Concentrators from which more is to come."""
    return (
        a_table(
            "Backlogs to come",
            "Concentrators that are silent, or said that they still hold packets: what is missing behind "
            "them may yet come.",
            f"""
        SELECT
            concentrator_id,
            CASE WHEN silent_since IS NULL THEN 'sending' ELSE 'silent' END AS state,
            backlog_packets AS packets,
            backlog_from_at AS "oldest data",
            silent_since,
            silent_modules AS "silent modules"
        FROM ingest.v_concentrators
        WHERE backlog_expected AND NOT deleted AND {CHOSEN}
        ORDER BY backlog_packets DESC NULLS LAST, concentrator_id
        """,
            [
                BEHIND,
                Column("state", words=mapping({"sending": ("sending", GREEN), "silent": ("silent", RED)})),
            ],
        )
        .span(HALF)
        .height(9)
    )


def batteries() -> table.Panel:
    """Batteries by their forecast end."""
    return a_table(
        "Batteries",
        "Forecast by type and packet plan (docs/batteries.md), the voltage last told, and why one should "
        "be changed.",
        f"""
        SELECT device, id, concentrator_id, type, ends, millivolts, reason
        FROM (
            SELECT 'module' AS device, module_id AS id, concentrator_id, battery_type AS type,
                battery_forecast_end AS ends, battery_mv AS millivolts, battery_finding AS reason
            FROM ingest.v_modules WHERE NOT deleted
            UNION ALL
            SELECT 'concentrator', concentrator_id, concentrator_id, NULL,
                battery_forecast_end, CASE power WHEN 'BATTERY' THEN supply_mv END, battery_finding
            FROM ingest.v_concentrators WHERE NOT deleted
        ) devices
        WHERE (ends IS NOT NULL OR reason IS NOT NULL OR millivolts IS NOT NULL) AND {CHOSEN}
        ORDER BY reason IS NULL, ends NULLS LAST, id
        LIMIT 500
        """,
        [
            Column("millivolts", unit="mvolt", steps=((None, RED), (3300.0, GREEN))),
            Column("reason", colour=AMBER),
        ],
    ).span(HALF)


def findings() -> table.Panel:
    """Open findings of delivery."""
    return a_table(
        "What is found of deliveries",
        "Open findings: silence, probably unpaid SIM cards, batteries, clocks. Each closes by itself "
        "once its cause is gone.",
        """
        SELECT interval_start_at AS since, severity, rule, concentrator_id, module_id AS module, message
        FROM ingest.v_findings
        WHERE state = 'OPEN' AND rule LIKE 'delivery.%'
            AND coalesce(concentrator_id, '') LIKE '${concentrator:raw}'
        ORDER BY interval_start_at DESC
        LIMIT 500
        """,
        [
            BEHIND,
            Column(
                "severity",
                words=mapping(
                    {
                        "ERROR": ("error", RED),
                        "WARNING": ("warning", AMBER),
                        "INFORMATION": ("information", GREY),
                    }
                ),
            ),
        ],
    ).span(HALF)
