-- Longer spans are computed from group-days when they are asked for (docs/domain.md §4.8), never stored.
CREATE FUNCTION held(total numeric) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN total IS NOT NULL THEN least(greatest(total, -9e18), 9e18)::bigint END;
COMMENT ON FUNCTION held(numeric) IS 'A sum within ±9·10¹⁸: absurd coefficients still have a result.';

CREATE VIEW months AS
SELECT
    m.month::date AS month,
    (m.month + i.shift) AT TIME ZONE i.calendar_zone AS start_at,
    (m.month + INTERVAL '1 month' + i.shift) AT TIME ZONE i.calendar_zone AS end_at
FROM (
    SELECT calendar_zone, make_interval(hours => calendar_day_start_hour) AS shift FROM public.balance_installation
) i
CROSS JOIN (
    SELECT
        min(first_day) AS first_day,
        greatest(max(filled_to), (SELECT heard_at FROM clock WHERE isfinite(heard_at)) + INTERVAL '2 days') AS last_day
    FROM groups
) g
CROSS JOIN LATERAL generate_series(
    date_trunc('month', g.first_day AT TIME ZONE i.calendar_zone - i.shift),
    g.last_day AT TIME ZONE i.calendar_zone - i.shift,
    INTERVAL '1 month'
) AS m (month);
COMMENT ON VIEW months IS 'Calendar months in which there may be group-days.';
COMMENT ON COLUMN months.month IS 'First day of the month, by the local calendar.';
COMMENT ON COLUMN months.start_at IS 'Start of its first metering day.';
COMMENT ON COLUMN months.end_at IS 'Start of the first metering day of the next.';

CREATE VIEW group_spans AS
SELECT
    s.span,
    s.balance_group,
    s.day_start,
    s.from_day,
    s.until_day,
    s.month,
    f.*,
    CASE WHEN f.supply > 10 * f.supply_pulse THEN f.imbalance::double precision / f.supply END AS relative_imbalance,
    t.tolerance,
    coverage_name(c.coverage) AS coverage,
    CASE
        WHEN c.coverage >= 3 THEN 'UNDECIDED'
        WHEN f.imbalance > t.tolerance + f.unregistered THEN 'LOSS'
        WHEN f.imbalance < -t.tolerance THEN 'SURPLUS'
        ELSE 'WITHIN_TOLERANCE'
    END AS verdict
FROM (
    SELECT
        'month' AS span,
        g.balance_group,
        m.start_at AS day_start,
        -- Half a day off the edge: no quirk of a clock moves a metering day into another month.
        m.start_at - INTERVAL '12 hours' AS from_day,
        m.end_at - INTERVAL '12 hours' AS until_day,
        m.month
    FROM months m
    CROSS JOIN groups g
    UNION ALL
    SELECT
        '7 d', balance_group, day_start, day_start - INTERVAL '156 hours', day_start + INTERVAL '12 hours', NULL
    FROM group_days
    WHERE NOT withdrawn
    UNION ALL
    SELECT
        '30 d', balance_group, day_start, day_start - INTERVAL '708 hours', day_start + INTERVAL '12 hours', NULL
    FROM group_days
    WHERE NOT withdrawn
) s
CROSS JOIN rules_in_force r
CROSS JOIN LATERAL (
    SELECT
        count(*)::int AS days_due,
        count(*) FILTER (WHERE computable)::int AS days_computable,
        min(start_at) AS start_at,
        max(end_at) AS end_at,
        held(sum(supply) FILTER (WHERE computable)) AS supply,
        held(sum(members) FILTER (WHERE computable)) AS members,
        held(sum(imbalance) FILTER (WHERE computable)) AS imbalance,
        held(sum(members_estimated) FILTER (WHERE computable)) AS members_estimated,
        held(sum(unregistered) FILTER (WHERE computable)) AS unregistered,
        sqrt(
            sum(u_supply_class) FILTER (WHERE computable) ^ 2
            + sum(u_members_class) FILTER (WHERE computable) ^ 2
            + max(u_pulse) FILTER (WHERE computable) ^ 2
            + sum(
                CASE
                    WHEN follows AND goes_on THEN coalesce(u_estimate_inside, u_estimate)
                    WHEN goes_on THEN coalesce(u_estimate_first, u_estimate)
                    WHEN follows THEN coalesce(u_estimate_last, u_estimate)
                    ELSE u_estimate
                END
            ) FILTER (WHERE computable) ^ 2
            + (
                (array_agg(clock_s ORDER BY start_at DESC) FILTER (WHERE computable))[1] / 3600.0::double precision
                * (
                    coalesce((array_agg(supply_last ORDER BY start_at DESC) FILTER (WHERE computable))[1], 0)
                    - coalesce((array_agg(supply_first ORDER BY start_at) FILTER (WHERE computable))[1], 0)
                )
            ) ^ 2
        ) AS u,
        coalesce(
            bool_and(
                silent = '{}' AND (follows OR gap_from_start = '{}') AND (goes_on OR gap_to_end = '{}')
            ) FILTER (WHERE computable),
            false
        ) AS is_complete,
        coalesce(max(supply_pulse) FILTER (WHERE computable), 0) AS supply_pulse,
        max(members_due) AS members_due,
        min(members_reported) AS members_reported,
        held(sum(night_hours) FILTER (WHERE computable AND night_imbalance IS NOT NULL)) AS night_hours,
        held(sum(night_supply) FILTER (WHERE computable AND night_imbalance IS NOT NULL)) AS night_supply,
        held(sum(night_members) FILTER (WHERE computable AND night_imbalance IS NOT NULL)) AS night_members,
        held(sum(night_imbalance) FILTER (WHERE computable)) AS night_imbalance
    FROM (
        SELECT
            d.*,
            coalesce(e.computable AND lag(e.computable) OVER days AND lag(e.end_at) OVER days = d.day_start, false) AS follows,
            coalesce(e.computable AND lead(e.computable) OVER days AND lead(d.day_start) OVER days = e.end_at, false) AS goes_on,
            e.computable,
            d.day_start AS start_at,
            e.end_at
        FROM group_days d
        CROSS JOIN LATERAL (
            SELECT
                d.coverage <> 4 AS computable,
                d.day_start + cardinality(d.hour_coverage) * d.step_s * INTERVAL '1 s' AS end_at
        ) e
        WHERE d.balance_group = s.balance_group AND d.day_start >= s.from_day AND d.day_start < s.until_day AND NOT d.withdrawn
        WINDOW days AS (ORDER BY d.day_start)
    ) d
    HAVING count(*) > 0
) f
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN f.days_computable = 0 THEN 4
            WHEN
                10 * f.days_computable < 7 * f.days_due
                OR abs(f.members_estimated) * 1000000::numeric > r.unreliable_share_ppm * abs(f.members::numeric)
                THEN 3
            WHEN f.days_computable < f.days_due OR NOT f.is_complete THEN 2
            ELSE 1
        END AS coverage
) c
CROSS JOIN LATERAL (SELECT held(floor(2 * f.u + 0.5)::numeric) AS tolerance) t;
COMMENT ON VIEW group_spans IS 'Months and rolling days of groups, amounts in base units; read through v_group_months and v_group_rolling.';
COMMENT ON COLUMN group_spans.span IS 'month, 7 d or 30 d.';
COMMENT ON COLUMN group_spans.balance_group IS 'Balance group.';
COMMENT ON COLUMN group_spans.day_start IS 'Start of the month, or of the last day.';
COMMENT ON COLUMN group_spans.from_day IS 'Group-days that start then or later belong to the span.';
COMMENT ON COLUMN group_spans.until_day IS 'Those that start then or later do not.';
COMMENT ON COLUMN group_spans.month IS 'First day of the month; null of rolling days.';
COMMENT ON COLUMN group_spans.days_due IS 'Group-days there are in it.';
COMMENT ON COLUMN group_spans.days_computable IS 'Those of them that are computable; what follows is of these.';
COMMENT ON COLUMN group_spans.start_at IS 'Start of its first group-day.';
COMMENT ON COLUMN group_spans.end_at IS 'End of its last group-day.';
COMMENT ON COLUMN group_spans.supply IS 'Sum of supply.';
COMMENT ON COLUMN group_spans.members IS 'Sum of members.';
COMMENT ON COLUMN group_spans.imbalance IS 'Sum of imbalance.';
COMMENT ON COLUMN group_spans.members_estimated IS 'Sum of the estimated part.';
COMMENT ON COLUMN group_spans.unregistered IS 'Sum of what idle meters may have passed.';
COMMENT ON COLUMN group_spans.u IS 'Standard uncertainty of the imbalance.';
COMMENT ON COLUMN group_spans.is_complete IS 'Whether no usage point lacked a value on a computable day or was ESTIMATED across an edge.';
COMMENT ON COLUMN group_spans.supply_pulse IS 'Largest pulse weight of a supply meter.';
COMMENT ON COLUMN group_spans.members_due IS 'Members, at most on a day.';
COMMENT ON COLUMN group_spans.members_reported IS 'Members that reported all their hours, on the worst day.';
COMMENT ON COLUMN group_spans.night_hours IS 'Night hours of the days whose night is computable.';
COMMENT ON COLUMN group_spans.night_supply IS 'Their supply.';
COMMENT ON COLUMN group_spans.night_members IS 'Their members.';
COMMENT ON COLUMN group_spans.night_imbalance IS 'Their imbalance.';
COMMENT ON COLUMN group_spans.relative_imbalance IS 'imbalance / supply; null when the supply is 10 pulses or less.';
COMMENT ON COLUMN group_spans.tolerance IS 'Expanded uncertainty (k = 2) of the imbalance.';
COMMENT ON COLUMN group_spans.coverage IS 'COMPLETE, ESTIMATED, UNRELIABLE or NOT_COMPUTABLE.';
COMMENT ON COLUMN group_spans.verdict IS 'WITHIN_TOLERANCE, LOSS, SURPLUS or UNDECIDED.';

CREATE VIEW v_group_months AS
SELECT
    g.group_id,
    g.name,
    s.month,
    s.day_start,
    s.start_at,
    s.end_at,
    s.days_due,
    s.days_computable,
    s.supply,
    s.members,
    s.members_estimated,
    s.imbalance,
    s.relative_imbalance,
    s.tolerance,
    s.unregistered,
    s.coverage,
    s.verdict,
    s.members_due,
    s.members_reported,
    ARRAY(
        SELECT u.usage_point_id FROM usage_points u
        WHERE u.usage_point IN (
            SELECT unnest(d.missing) FROM group_days d
            WHERE d.balance_group = s.balance_group AND d.day_start >= s.from_day AND d.day_start < s.until_day AND NOT d.withdrawn
        )
        ORDER BY u.usage_point_id COLLATE "C"
    ) AS missing_usage_points,
    ARRAY(
        SELECT u.usage_point_id FROM usage_points u
        WHERE u.usage_point IN (
            SELECT unnest(d.unmetered) FROM group_days d
            WHERE d.balance_group = s.balance_group AND d.day_start >= s.from_day AND d.day_start < s.until_day AND NOT d.withdrawn
        )
        ORDER BY u.usage_point_id COLLATE "C"
    ) AS unmetered_usage_points,
    s.night_hours,
    s.night_supply,
    s.night_members,
    s.night_imbalance,
    resource_name(g.resource) AS resource,
    unit_name(g.resource) AS unit,
    CASE WHEN g.resource IN (2, 3) THEN s.supply END AS system_input,
    CASE WHEN g.resource IN (2, 3) THEN s.members - s.members_estimated END AS billed_metered,
    CASE WHEN g.resource IN (2, 3) THEN s.members_estimated END AS billed_unmetered,
    CASE WHEN g.resource IN (2, 3) THEN s.imbalance END AS water_losses,
    CASE WHEN g.resource IN (2, 3) THEN s.night_supply::double precision / nullif(s.night_hours, 0) END AS minimum_night_flow,
    CASE WHEN g.resource IN (2, 3) THEN s.night_imbalance::double precision / nullif(s.night_hours, 0) END AS net_night_flow,
    CASE WHEN g.resource IN (2, 3) THEN 24 * s.night_imbalance::double precision / nullif(s.night_hours, 0) END AS night_losses_a_day,
    CASE WHEN g.resource = 1 THEN s.imbalance END AS unaccounted_for_gas,
    CASE WHEN g.resource = 1 THEN s.relative_imbalance END AS unaccounted_for_gas_share
FROM group_spans s
JOIN groups g USING (balance_group)
WHERE s.span = 'month';

CREATE VIEW v_group_rolling AS
SELECT
    g.group_id,
    g.name,
    s.span,
    s.day_start,
    s.start_at,
    s.end_at,
    s.days_due,
    s.days_computable,
    s.supply,
    s.members,
    s.members_estimated,
    s.imbalance,
    s.relative_imbalance,
    s.tolerance,
    s.unregistered,
    s.coverage,
    s.verdict,
    s.members_due,
    s.members_reported,
    s.night_hours,
    s.night_imbalance,
    resource_name(g.resource) AS resource,
    unit_name(g.resource) AS unit
FROM group_spans s
JOIN groups g USING (balance_group)
WHERE s.span <> 'month'
UNION ALL
SELECT
    g.group_id,
    g.name,
    '24 h',
    d.day_start,
    s.end_at - INTERVAL '24 hours',
    s.end_at,
    1,
    (s.coverage <> 4)::int,
    CASE WHEN s.coverage <> 4 THEN s.supply END,
    s.members,
    s.members_estimated,
    CASE WHEN s.coverage <> 4 THEN s.imbalance END,
    CASE WHEN s.coverage <> 4 AND s.supply > 10 * s.supply_pulse THEN s.imbalance::double precision / s.supply END,
    t.tolerance,
    s.unregistered,
    coverage_name(s.coverage),
    CASE
        WHEN s.coverage >= 3 THEN 'UNDECIDED'
        WHEN s.imbalance > t.tolerance + s.unregistered THEN 'LOSS'
        WHEN s.imbalance < -t.tolerance THEN 'SURPLUS'
        ELSE 'WITHIN_TOLERANCE'
    END,
    s.members_due,
    s.members_reported,
    NULL,
    NULL,
    resource_name(g.resource),
    unit_name(g.resource)
FROM group_days d
JOIN groups g USING (balance_group)
CROSS JOIN LATERAL (
    SELECT
        h.*,
        CASE
            WHEN h.hours < 24 THEN 4
            WHEN abs(h.members_estimated) * 1000000::numeric > r.unreliable_share_ppm * abs(h.members::numeric) THEN 3
            WHEN h.is_complete THEN 1
            ELSE 2
        END AS coverage
    FROM (
        SELECT
            w.day_start,
            b.end_at,
            count(h.imbalance) OVER day AS hours,
            held(sum(h.supply) OVER day) AS supply,
            held(sum(h.members) OVER day) AS members,
            held(sum(coalesce(h.members_estimated, 0)) OVER day) AS members_estimated,
            held(sum(h.imbalance) OVER day) AS imbalance,
            held(sum(coalesce(h.unregistered, 0)) OVER day) AS unregistered,
            sum(coalesce(h.u, h.tolerance / 2.0)) OVER day AS u,
            w.clock_s / 3600.0::double precision * (h.supply - first_value(h.supply) OVER day) AS u_clock,
            bool_and(h.coverage = 1) OVER day AS is_complete,
            max(w.supply_pulse) OVER day AS supply_pulse,
            max(h.members_due) OVER day AS members_due,
            min(h.members_reported) OVER day AS members_reported
        FROM group_days w
        CROSS JOIN LATERAL unnest(
            w.hour_supply, w.hour_members, w.hour_imbalance, w.hour_tolerance, w.hour_coverage, w.hour_members_due,
            w.hour_members_reported, w.hour_members_estimated, w.hour_unregistered, w.hour_u
        ) WITH ORDINALITY AS h (
            supply, members, imbalance, tolerance, coverage, members_due, members_reported, members_estimated,
            unregistered, u, position
        )
        CROSS JOIN LATERAL (SELECT w.day_start + h.position * w.step_s * INTERVAL '1 s' AS end_at) b
        WHERE w.balance_group = d.balance_group AND w.day_start > d.day_start - INTERVAL '36 hours'
            AND w.day_start <= d.day_start AND NOT w.withdrawn
        WINDOW day AS (ORDER BY b.end_at RANGE BETWEEN INTERVAL '23 hours' PRECEDING AND CURRENT ROW)
    ) h
    CROSS JOIN rules_in_force r
    WHERE h.day_start = d.day_start
) s
CROSS JOIN LATERAL (
    SELECT CASE WHEN s.coverage <> 4 THEN held(floor(2 * sqrt(s.u ^ 2 + s.u_clock ^ 2) + 0.5)::numeric) END AS tolerance
) t
WHERE NOT d.withdrawn;

COMMENT ON VIEW v_group_months IS 'Imbalance of balance groups by calendar month, computed from their days (docs/domain.md §4.8). Bound day_start in every query.';
COMMENT ON COLUMN v_group_months.group_id IS 'Balance group.';
COMMENT ON COLUMN v_group_months.name IS 'What people call the group.';
COMMENT ON COLUMN v_group_months.month IS 'First day of the month, by the local calendar.';
COMMENT ON COLUMN v_group_months.day_start IS 'Start of the first metering day of the month, whether there is such a group-day or not. Bound this column in every query.';
COMMENT ON COLUMN v_group_months.start_at IS 'Start of the first day there is.';
COMMENT ON COLUMN v_group_months.end_at IS 'End of the last, not included.';
COMMENT ON COLUMN v_group_months.days_due IS 'Group-days there are in the month.';
COMMENT ON COLUMN v_group_months.days_computable IS 'Days with an imbalance: the sums are of these.';
COMMENT ON COLUMN v_group_months.supply IS 'Sum of the supply in base units; null without a computable day.';
COMMENT ON COLUMN v_group_months.members IS 'Sum of the members in base units, missing ones estimated.';
COMMENT ON COLUMN v_group_months.members_estimated IS 'Part of members that is estimated.';
COMMENT ON COLUMN v_group_months.imbalance IS 'supply - members in base units; null without a computable day.';
COMMENT ON COLUMN v_group_months.relative_imbalance IS 'imbalance / supply; null when the supply is 10 pulses or less.';
COMMENT ON COLUMN v_group_months.tolerance IS 'Expanded uncertainty (k = 2) of the imbalance in base units.';
COMMENT ON COLUMN v_group_months.unregistered IS 'What idle meters may have passed below their starting flow: a loss must exceed the tolerance by more.';
COMMENT ON COLUMN v_group_months.coverage IS 'COMPLETE, ESTIMATED, UNRELIABLE (too few days, or too much estimated) or NOT_COMPUTABLE.';
COMMENT ON COLUMN v_group_months.verdict IS 'WITHIN_TOLERANCE, LOSS, SURPLUS or UNDECIDED.';
COMMENT ON COLUMN v_group_months.members_due IS 'Members that belong to the group, at most at once.';
COMMENT ON COLUMN v_group_months.members_reported IS 'Members that reported all their hours, when these were fewest.';
COMMENT ON COLUMN v_group_months.resource IS 'What is metered.';
COMMENT ON COLUMN v_group_months.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_group_months.missing_usage_points IS 'Members and supply meters that did not report all of their hours on some day, sorted.';
COMMENT ON COLUMN v_group_months.unmetered_usage_points IS 'Those of them silent for so long that they count as unmetered, sorted.';
COMMENT ON COLUMN v_group_months.night_hours IS 'Hours from 02:00 to before 04:00 local time of the days whose night is computable.';
COMMENT ON COLUMN v_group_months.night_supply IS 'Supply in these hours.';
COMMENT ON COLUMN v_group_months.night_members IS 'Members in these hours.';
COMMENT ON COLUMN v_group_months.night_imbalance IS 'Imbalance in these hours.';
COMMENT ON COLUMN v_group_months.system_input IS 'Water: system input volume, the supply.';
COMMENT ON COLUMN v_group_months.billed_metered IS 'Water: billed metered consumption, what the members reported.';
COMMENT ON COLUMN v_group_months.billed_unmetered IS 'Water: billed unmetered consumption, what was estimated.';
COMMENT ON COLUMN v_group_months.water_losses IS 'Water: losses, the imbalance.';
COMMENT ON COLUMN v_group_months.minimum_night_flow IS 'Water: supply of a night hour, what the supply meters show then.';
COMMENT ON COLUMN v_group_months.net_night_flow IS 'Water: imbalance of a night hour, the minimum night flow without what the members use then.';
COMMENT ON COLUMN v_group_months.night_losses_a_day IS 'Water: 24 times the net night flow, what leaks on a day.';
COMMENT ON COLUMN v_group_months.unaccounted_for_gas IS 'Gas: UFG, the imbalance.';
COMMENT ON COLUMN v_group_months.unaccounted_for_gas_share IS 'Gas: UFG as a share of the supply.';

COMMENT ON VIEW v_group_rolling IS 'Imbalance of balance groups over the 7 and 30 days that end with each day, and the 24 hours that end with each hour (docs/domain.md §4.8). Bound day_start in every query.';
COMMENT ON COLUMN v_group_rolling.group_id IS 'Balance group.';
COMMENT ON COLUMN v_group_rolling.name IS 'What people call the group.';
COMMENT ON COLUMN v_group_rolling.span IS '24 h, 7 d or 30 d.';
COMMENT ON COLUMN v_group_rolling.day_start IS 'Start of the last metering day of the span. Bound this column in every query.';
COMMENT ON COLUMN v_group_rolling.start_at IS 'Start of the first day there is, or of the 24 hours.';
COMMENT ON COLUMN v_group_rolling.end_at IS 'End of the last, not included.';
COMMENT ON COLUMN v_group_rolling.days_due IS 'Days there are; 1 for 24 h.';
COMMENT ON COLUMN v_group_rolling.days_computable IS 'Days with an imbalance: the sums are of these.';
COMMENT ON COLUMN v_group_rolling.supply IS 'Sum of the supply in base units; null without a computable day.';
COMMENT ON COLUMN v_group_rolling.members IS 'Sum of the members in base units, missing ones estimated.';
COMMENT ON COLUMN v_group_rolling.members_estimated IS 'Part of members that is estimated.';
COMMENT ON COLUMN v_group_rolling.imbalance IS 'supply - members in base units; null without a computable day.';
COMMENT ON COLUMN v_group_rolling.relative_imbalance IS 'imbalance / supply; null when the supply is 10 pulses or less.';
COMMENT ON COLUMN v_group_rolling.tolerance IS 'Expanded uncertainty (k = 2) of the imbalance in base units.';
COMMENT ON COLUMN v_group_rolling.unregistered IS 'What idle meters may have passed below their starting flow: a loss must exceed the tolerance by more.';
COMMENT ON COLUMN v_group_rolling.coverage IS 'COMPLETE, ESTIMATED, UNRELIABLE (too few days, or too much estimated) or NOT_COMPUTABLE.';
COMMENT ON COLUMN v_group_rolling.verdict IS 'WITHIN_TOLERANCE, LOSS, SURPLUS or UNDECIDED.';
COMMENT ON COLUMN v_group_rolling.members_due IS 'Members that belong to the group, at most at once.';
COMMENT ON COLUMN v_group_rolling.members_reported IS 'Members that reported all their hours, when these were fewest.';
COMMENT ON COLUMN v_group_rolling.resource IS 'What is metered.';
COMMENT ON COLUMN v_group_rolling.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_group_rolling.night_hours IS 'Hours from 02:00 to before 04:00 local time of the days whose night is computable; null for 24 h.';
COMMENT ON COLUMN v_group_rolling.night_imbalance IS 'Imbalance in these hours; null for 24 h.';

GRANT SELECT ON v_group_months, v_group_rolling TO balance_reader;
