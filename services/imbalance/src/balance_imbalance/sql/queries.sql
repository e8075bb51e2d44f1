-- Statements of this service. psycopg's placeholders; a percent sign is doubled.
-- ASSETS lock: shared by whoever stores readings, exclusive for whoever changes the register.

-- name: lock_assets_shared
SELECT pg_advisory_xact_lock_shared(hashtext('imbalance.assets'))

-- name: lock_assets_exclusive
SELECT pg_advisory_xact_lock(hashtext('imbalance.assets'))

-- name: number_usage_points
INSERT INTO imbalance.usage_points (usage_point_id)
SELECT g.usage_point_id FROM unnest(%(ids)s::text[]) AS g (usage_point_id)
WHERE NOT EXISTS (SELECT FROM imbalance.usage_points u WHERE u.usage_point_id = g.usage_point_id)
ORDER BY g.usage_point_id
ON CONFLICT (usage_point_id) DO NOTHING

-- name: numbers_of_usage_points
SELECT usage_point_id, usage_point FROM imbalance.usage_points WHERE usage_point_id = ANY (%(ids)s)

-- name: make_incoming_readings
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_reading_days (
    usage_point int, day_start timestamptz, step_s int, "values" bigint[], qualities smallint[], version bigint
) ON COMMIT DELETE ROWS

-- name: make_changed_readings
CREATE TEMPORARY TABLE IF NOT EXISTS changed_reading_days (usage_point int, day_start timestamptz)
ON COMMIT DELETE ROWS

-- name: upsert_readings
WITH stored AS (
    INSERT INTO imbalance.reading_days AS t (
        usage_point, day_start, step_s, "values", qualities, version, changed_in
    )
    SELECT usage_point, day_start, step_s, "values", qualities, version, version
    FROM incoming_reading_days
    ORDER BY usage_point, day_start
    ON CONFLICT (usage_point, day_start) DO UPDATE SET
        step_s = excluded.step_s,
        "values" = excluded."values",
        qualities = excluded.qualities,
        version = excluded.version,
        changed_in = CASE
            WHEN (t."values", t.qualities) IS DISTINCT FROM (excluded."values", excluded.qualities)
            THEN excluded.version ELSE t.changed_in
        END
    WHERE excluded.version > t.version
    RETURNING usage_point, day_start, changed_in = version AS changed
)
INSERT INTO changed_reading_days SELECT usage_point, day_start FROM stored WHERE changed

-- name: lock_groups_of_changed_readings
SELECT balance_group FROM imbalance.groups
WHERE balance_group IN (
    SELECT m.balance_group FROM imbalance.memberships m JOIN changed_reading_days c USING (usage_point)
    UNION ALL
    SELECT m.balance_group
    FROM changed_reading_days c
    JOIN imbalance.thermometers t ON t.thermometer = c.usage_point
    JOIN imbalance.memberships m ON m.usage_point = t.usage_point
)
ORDER BY balance_group
FOR SHARE

-- name: changed_days
SELECT DISTINCT day_start FROM changed_reading_days

-- name: touched_group_days
-- The days themselves, for gas also those of which it tells the temperature, and later ones on which the usage
-- point did not report an hour, or had no value: its past takes part, and how long it has been silent. That is
-- counted in days of 24 hours, give or take the hour by which clocks change.
WITH changed AS MATERIALIZED (
    SELECT
        c.usage_point,
        c.day_start,
        d.day_end,
        d.until,
        c.day_start + INTERVAL '2 hours' + INTERVAL '1 day' * (
            %(unmetered_days)s - 1
            + coalesce((SELECT max(a.days) FROM imbalance.allowances a WHERE a.usage_point = c.usage_point), 0)
        ) AS silent_until
    FROM changed_reading_days c
    JOIN unnest(%(day_starts)s::timestamptz[], %(day_ends)s::timestamptz[], %(untils)s::timestamptz[])
        AS d (day_start, day_end, until) USING (day_start)
)
SELECT m.balance_group, c.day_start
FROM changed c
JOIN imbalance.memberships m ON m.usage_point = c.usage_point
WHERE m.valid_from < c.day_end AND (m.valid_to IS NULL OR m.valid_to > c.day_start)
UNION
SELECT m.balance_group, c.day_start
FROM changed c
JOIN imbalance.thermometers t ON t.thermometer = c.usage_point
JOIN imbalance.memberships m ON m.usage_point = t.usage_point
JOIN imbalance.groups g ON g.balance_group = m.balance_group AND g.resource = 1
WHERE t.valid_from <= c.day_start AND (t.valid_to IS NULL OR t.valid_to > c.day_start)
    AND m.valid_from < c.day_end AND (m.valid_to IS NULL OR m.valid_to > c.day_start)
UNION
SELECT d.balance_group, d.day_start
FROM changed c
JOIN imbalance.memberships m ON m.usage_point = c.usage_point
CROSS JOIN LATERAL (
    SELECT g.balance_group, g.day_start
    FROM imbalance.group_days g
    WHERE g.balance_group = m.balance_group
        AND g.day_start > c.day_start
        AND g.day_start <= greatest(c.until, c.silent_until)
        AND (
            (g.day_start <= c.until AND c.usage_point = ANY (coalesce(g.not_reported, g.missing)))
            OR (g.day_start <= c.silent_until AND c.usage_point = ANY (g.silent))
        )
    OFFSET 0
) d

-- name: hear_clock
UPDATE imbalance.clock SET heard_at = to_timestamp(%(clock_at)s) WHERE heard_at < to_timestamp(%(clock_at)s)

-- name: clock
SELECT heard_at FROM imbalance.clock WHERE isfinite(heard_at)

-- name: settle_first_day
-- A reading day counts when the membership is valid at the start of one of its hours and not all is MISSING (5).
UPDATE imbalance.groups g SET first_day = (
    SELECT min(r.day_start)
    FROM imbalance.memberships m
    CROSS JOIN LATERAL (
        SELECT r.day_start
        FROM imbalance.reading_days r
        WHERE r.usage_point = m.usage_point
            AND r.day_start > m.valid_from - INTERVAL '25 hours'
            AND (m.valid_to IS NULL OR r.day_start < m.valid_to)
            AND (r.qualities IS NULL OR 5 <> ANY (r.qualities))
            AND r.day_start + greatest(ceil(extract(epoch FROM m.valid_from - r.day_start) / 3600), 0)::int
                * INTERVAL '1 hour'
                < least(
                    r.day_start + cardinality(r."values") * INTERVAL '1 hour', coalesce(m.valid_to, 'infinity')
                )
        ORDER BY r.day_start
        LIMIT 1
    ) r
    WHERE m.balance_group = g.balance_group
)
WHERE g.balance_group = ANY (%(groups)s)
RETURNING balance_group, first_day

-- name: lock_groups
SELECT balance_group, first_day FROM imbalance.groups
WHERE balance_group = ANY (%(groups)s)
ORDER BY balance_group
FOR UPDATE SKIP LOCKED

-- name: set_first_days
UPDATE imbalance.groups g SET first_day = n.first_day
FROM unnest(%(groups)s::int[], %(first_days)s::timestamptz[]) AS n (balance_group, first_day)
WHERE g.balance_group = n.balance_group

-- name: readings_of_groups
-- With those of their thermometers. OFFSET 0 keeps this a look-up by key for each member and day, whatever the
-- planner believes of the table.
SELECT r.usage_point, r.day_start, r."values", r.qualities
FROM (
    WITH read AS MATERIALIZED (
        SELECT DISTINCT m.usage_point, k.day_start
        FROM unnest(%(groups)s::int[], %(day_starts)s::timestamptz[]) AS k (balance_group, day_start)
        JOIN imbalance.memberships m USING (balance_group)
    )
    SELECT * FROM read
    UNION
    SELECT t.thermometer, read.day_start
    FROM read
    JOIN imbalance.thermometers t USING (usage_point)
    WHERE t.valid_from <= read.day_start AND (t.valid_to IS NULL OR t.valid_to > read.day_start)
) wanted
CROSS JOIN LATERAL (
    SELECT * FROM imbalance.reading_days t
    WHERE t.usage_point = wanted.usage_point AND t.day_start = wanted.day_start
    OFFSET 0
) r

-- name: complete_days
-- Days with all hours VALID (1) or EDITED (3), newest first.
SELECT r.usage_point, r.day_start, r."values"
FROM unnest(%(usage_points)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS p (usage_point, start_day, end_day)
CROSS JOIN LATERAL (
    SELECT * FROM imbalance.reading_days t
    WHERE t.usage_point = p.usage_point
        AND t.day_start >= p.start_day
        AND t.day_start < p.end_day
        AND (t.qualities IS NULL OR t.qualities <@ ARRAY[1, 3]::smallint[])
    OFFSET 0
) r
ORDER BY r.usage_point, r.day_start DESC

-- name: valued_days
-- Days with an hour VALID (1), ESTIMATED (2) or EDITED (3).
SELECT r.usage_point, r.day_start
FROM unnest(%(usage_points)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS p (usage_point, start_day, end_day)
CROSS JOIN LATERAL (
    SELECT * FROM imbalance.reading_days t
    WHERE t.usage_point = p.usage_point
        AND t.day_start >= p.start_day
        AND t.day_start < p.end_day
        AND (t.qualities IS NULL OR t.qualities && ARRAY[1, 2, 3]::smallint[])
    OFFSET 0
) r

-- name: make_incoming_group_days
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_group_days (LIKE imbalance.group_days INCLUDING DEFAULTS)
ON COMMIT DELETE ROWS

-- name: upsert_group_days
INSERT INTO imbalance.group_days AS t
SELECT i.* FROM incoming_group_days i
WHERE NOT i.withdrawn
    OR EXISTS (
        SELECT FROM imbalance.group_days g WHERE g.balance_group = i.balance_group AND g.day_start = i.day_start
    )
ORDER BY i.balance_group, i.day_start
ON CONFLICT (balance_group, day_start) DO UPDATE SET
    step_s = excluded.step_s,
    supply = excluded.supply,
    members = excluded.members,
    imbalance = excluded.imbalance,
    tolerance = excluded.tolerance,
    coverage = excluded.coverage,
    verdict = excluded.verdict,
    members_due = excluded.members_due,
    members_reported = excluded.members_reported,
    missing_share_ppm = excluded.missing_share_ppm,
    hour_supply = excluded.hour_supply,
    hour_members = excluded.hour_members,
    hour_imbalance = excluded.hour_imbalance,
    hour_tolerance = excluded.hour_tolerance,
    hour_coverage = excluded.hour_coverage,
    hour_verdict = excluded.hour_verdict,
    hour_members_due = excluded.hour_members_due,
    hour_members_reported = excluded.hour_members_reported,
    hour_missing_share_ppm = excluded.hour_missing_share_ppm,
    u_supply_class = excluded.u_supply_class,
    u_members_class = excluded.u_members_class,
    u_pulse = excluded.u_pulse,
    u_estimate = excluded.u_estimate,
    supply_pulse = excluded.supply_pulse,
    missing = excluded.missing,
    month = excluded.month,
    unregistered = excluded.unregistered,
    imbalance_lowest = excluded.imbalance_lowest,
    imbalance_highest = excluded.imbalance_highest,
    members_estimated = excluded.members_estimated,
    hour_unregistered = excluded.hour_unregistered,
    hour_imbalance_lowest = excluded.hour_imbalance_lowest,
    hour_imbalance_highest = excluded.hour_imbalance_highest,
    hour_members_estimated = excluded.hour_members_estimated,
    hour_u = excluded.hour_u,
    night_hours = excluded.night_hours,
    night_supply = excluded.night_supply,
    night_members = excluded.night_members,
    night_imbalance = excluded.night_imbalance,
    base_supply = excluded.base_supply,
    base_members = excluded.base_members,
    base_imbalance = excluded.base_imbalance,
    base_tolerance = excluded.base_tolerance,
    base_verdict = excluded.base_verdict,
    u_estimate_first = excluded.u_estimate_first,
    u_estimate_inside = excluded.u_estimate_inside,
    u_estimate_last = excluded.u_estimate_last,
    u_clock = excluded.u_clock,
    clock_s = excluded.clock_s,
    supply_first = excluded.supply_first,
    supply_last = excluded.supply_last,
    unmetered = excluded.unmetered,
    not_reported = excluded.not_reported,
    silent = excluded.silent,
    gap_from_start = excluded.gap_from_start,
    gap_to_end = excluded.gap_to_end,
    problems = excluded.problems,
    is_recomputation = excluded.is_recomputation,
    news_version = CASE
        WHEN excluded.is_recomputation
            THEN coalesce(t.news_version, CASE WHEN t.is_recomputation THEN 0 ELSE t.version END)
    END,
    withdrawn = excluded.withdrawn,
    version = t.version + 1,
    algorithm_version = excluded.algorithm_version,
    settings_hash = excluded.settings_hash,
    computed_at = excluded.computed_at,
    previous = jsonb_build_object(
        'version', t.version, 'supply', t.supply, 'members', t.members, 'imbalance', t.imbalance,
        'tolerance', t.tolerance, 'coverage', t.coverage, 'verdict', t.verdict, 'members_due', t.members_due,
        'members_reported', t.members_reported, 'missing_share_ppm', t.missing_share_ppm
    )
WHERE t.algorithm_version <= excluded.algorithm_version AND (
    t.step_s, t.supply, t.members, t.imbalance, t.tolerance, t.coverage, t.verdict, t.members_due,
    t.members_reported, t.missing_share_ppm, t.hour_supply, t.hour_members, t.hour_imbalance, t.hour_tolerance,
    t.hour_coverage, t.hour_verdict, t.hour_members_due, t.hour_members_reported, t.hour_missing_share_ppm,
    t.u_supply_class, t.u_members_class, t.u_pulse, t.u_estimate, t.supply_pulse, t.missing, t.withdrawn,
    t.month, t.unregistered, t.imbalance_lowest, t.imbalance_highest, t.members_estimated,
    t.hour_unregistered, t.hour_imbalance_lowest, t.hour_imbalance_highest, t.hour_members_estimated,
    t.hour_u, t.night_hours, t.night_supply, t.night_members, t.night_imbalance, t.base_supply,
    t.base_members, t.base_imbalance, t.base_tolerance, t.base_verdict, t.u_estimate_first,
    t.u_estimate_inside, t.u_estimate_last, t.u_clock, t.supply_first, t.supply_last, t.unmetered,
    t.not_reported, t.silent, t.gap_from_start, t.gap_to_end, t.problems
) IS DISTINCT FROM (
    excluded.step_s, excluded.supply, excluded.members, excluded.imbalance, excluded.tolerance,
    excluded.coverage, excluded.verdict, excluded.members_due, excluded.members_reported,
    excluded.missing_share_ppm, excluded.hour_supply, excluded.hour_members, excluded.hour_imbalance,
    excluded.hour_tolerance, excluded.hour_coverage, excluded.hour_verdict, excluded.hour_members_due,
    excluded.hour_members_reported, excluded.hour_missing_share_ppm, excluded.u_supply_class,
    excluded.u_members_class, excluded.u_pulse, excluded.u_estimate, excluded.supply_pulse, excluded.missing,
    excluded.withdrawn,
    excluded.month, excluded.unregistered, excluded.imbalance_lowest, excluded.imbalance_highest,
    excluded.members_estimated, excluded.hour_unregistered, excluded.hour_imbalance_lowest,
    excluded.hour_imbalance_highest, excluded.hour_members_estimated, excluded.hour_u, excluded.night_hours,
    excluded.night_supply, excluded.night_members, excluded.night_imbalance, excluded.base_supply,
    excluded.base_members, excluded.base_imbalance, excluded.base_tolerance, excluded.base_verdict,
    excluded.u_estimate_first, excluded.u_estimate_inside, excluded.u_estimate_last, excluded.u_clock,
    excluded.supply_first, excluded.supply_last, excluded.unmetered, excluded.not_reported, excluded.silent,
    excluded.gap_from_start, excluded.gap_to_end, excluded.problems
)
RETURNING t.balance_group, t.day_start

-- name: stamp_group_days
-- Figures that came out the same under other settings are theirs now; nothing is published for it.
UPDATE imbalance.group_days t SET
    algorithm_version = i.algorithm_version, settings_hash = i.settings_hash, clock_s = i.clock_s
FROM incoming_group_days i
WHERE t.balance_group = i.balance_group
    AND t.day_start = i.day_start
    AND t.algorithm_version <= i.algorithm_version
    AND (t.algorithm_version, t.settings_hash) <> (i.algorithm_version, i.settings_hash)

-- name: group_days_of_other_settings
SELECT balance_group, day_start FROM imbalance.group_days
WHERE algorithm_version <= %(algorithm_version)s
    AND (algorithm_version, settings_hash) <> (%(algorithm_version)s, %(settings_hash)s)
    AND day_start >= coalesce(%(since)s::timestamptz, '-infinity')

-- name: groups_to_be_told_again
-- Migration 0006 sets the version to -1, below any that is told.
SELECT count(*) FROM imbalance.groups g
WHERE g.version < 0 AND EXISTS (SELECT FROM imbalance.entries e WHERE e.balance_group = g.balance_group)

-- name: put_rules_in_force
UPDATE imbalance.rules_in_force
SET unreliable_share_ppm = %(unreliable_share_ppm)s, heating_base = %(heating_base)s, least_homes = %(least_homes)s
WHERE (unreliable_share_ppm, heating_base, least_homes)
    IS DISTINCT FROM (%(unreliable_share_ppm)s, %(heating_base)s, %(least_homes)s)

-- name: groups_to_fill
SELECT balance_group, first_day, filled_from, filled_to FROM imbalance.groups
WHERE filled_to IS NULL
    OR filled_from IS DISTINCT FROM first_day
    OR (first_day IS NOT NULL AND filled_to <> %(last)s)
ORDER BY balance_group
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED

-- name: existing_group_days
SELECT k.balance_group, d.day_start
FROM unnest(%(groups)s::int[], %(starts)s::timestamptz[]) AS k (balance_group, start_day)
JOIN imbalance.group_days d ON d.balance_group = k.balance_group AND d.day_start >= coalesce(k.start_day, '-infinity')
WHERE NOT d.withdrawn

-- name: set_filled
UPDATE imbalance.groups g SET filled_from = g.first_day, filled_to = %(last)s
WHERE g.balance_group = ANY (%(groups)s)

-- name: current_group_days
-- A record names 5,000 usage points in each list: two lists of many more would be larger than the topic takes.
SELECT
    g.group_id,
    g.resource,
    d.*,
    ARRAY(
        SELECT u.usage_point_id FROM imbalance.usage_points u
        WHERE u.usage_point = ANY (d.missing)
        ORDER BY u.usage_point_id COLLATE "C"
        LIMIT 5000
    ) AS missing_usage_points,
    ARRAY(
        SELECT u.usage_point_id FROM imbalance.usage_points u
        WHERE u.usage_point = ANY (d.unmetered)
        ORDER BY u.usage_point_id COLLATE "C"
        LIMIT 5000
    ) AS unmetered_usage_points
FROM unnest(%(groups)s::int[], %(day_starts)s::timestamptz[]) AS k (balance_group, day_start)
JOIN imbalance.group_days d USING (balance_group, day_start)
JOIN imbalance.groups g USING (balance_group)
