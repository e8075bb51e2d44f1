-- Statements of the register's projection. psycopg's placeholders; a percent sign is doubled.

-- name: describe_usage_points
UPDATE imbalance.usage_points u SET version = d.version
FROM unnest(%(usage_points)s::int[], %(versions)s::bigint[]) AS d (usage_point, version)
WHERE u.usage_point = d.usage_point AND (u.version IS NULL OR u.version < d.version)
RETURNING u.usage_point

-- name: meters
SELECT
    usage_point,
    extract(epoch FROM fitted_at)::bigint,
    coalesce(extract(epoch FROM removed_at)::bigint, %(forever)s),
    class_ppm,
    pulse_weight,
    q_start,
    is_compensated
FROM imbalance.meters
WHERE usage_point = ANY (%(usage_points)s)
ORDER BY usage_point, fitted_at

-- name: forget_meters
DELETE FROM imbalance.meters WHERE usage_point = ANY (%(usage_points)s)

-- name: describe_groups
INSERT INTO imbalance.groups AS g (group_id, name, resource, version)
SELECT * FROM unnest(%(group_ids)s::text[], %(names)s::text[], %(resources)s::smallint[], %(versions)s::bigint[])
ORDER BY 1
ON CONFLICT (group_id) DO UPDATE SET
    name = excluded.name,
    resource = excluded.resource,
    version = excluded.version,
    filled_from = NULL,
    filled_to = NULL
WHERE g.version < excluded.version
RETURNING group_id, balance_group

-- name: memberships
SELECT
    balance_group,
    usage_point,
    role,
    coefficient_ppm,
    extract(epoch FROM valid_from)::bigint,
    coalesce(extract(epoch FROM valid_to)::bigint, %(forever)s)
FROM imbalance.memberships
WHERE balance_group = ANY (%(groups)s)
ORDER BY balance_group, ordinal

-- name: forget_memberships
DELETE FROM imbalance.memberships WHERE balance_group = ANY (%(groups)s)

-- name: days_of_changed_memberships
-- Days of groups in a changed span of a usage point: those computed before, and those with its readings.
WITH span AS MATERIALIZED (
    SELECT s.balance_group, s.usage_point, s.start_day, coalesce(s.end_at, 'infinity') AS end_at
    FROM unnest(
        %(groups)s::int[], %(usage_points)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]
    ) AS s (balance_group, usage_point, start_day, end_at)
)
SELECT d.balance_group, d.day_start
FROM span
JOIN imbalance.group_days d
    ON d.balance_group = span.balance_group AND d.day_start >= span.start_day AND d.day_start < span.end_at
UNION
SELECT span.balance_group, r.day_start
FROM span
JOIN imbalance.reading_days r
    ON r.usage_point = span.usage_point AND r.day_start >= span.start_day AND r.day_start < span.end_at

-- name: days_of_changed_meters
-- Days of groups in a changed span of a usage point, while it belongs to them.
WITH span AS MATERIALIZED (
    SELECT s.usage_point, s.start_day, coalesce(s.end_at, 'infinity') AS end_at
    FROM unnest(%(usage_points)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS s (usage_point, start_day, end_at)
), held AS MATERIALIZED (
    SELECT
        m.balance_group,
        span.usage_point,
        greatest(span.start_day, m.valid_from - INTERVAL '25 hours') AS start_at,
        least(span.end_at, coalesce(m.valid_to, 'infinity')) AS end_at
    FROM span
    JOIN imbalance.memberships m USING (usage_point)
)
SELECT d.balance_group, d.day_start
FROM held
JOIN imbalance.group_days d
    ON d.balance_group = held.balance_group AND d.day_start >= held.start_at AND d.day_start < held.end_at
UNION
SELECT held.balance_group, r.day_start
FROM held
JOIN imbalance.reading_days r
    ON r.usage_point = held.usage_point AND r.day_start >= held.start_at AND r.day_start < held.end_at

-- name: lock_groups_of_assets
SELECT balance_group FROM imbalance.groups
WHERE group_id = ANY (%(group_ids)s) OR balance_group IN (
    SELECT balance_group FROM imbalance.memberships WHERE usage_point = ANY (%(usage_points)s)
)
ORDER BY balance_group
FOR SHARE

-- name: problems
SELECT
    balance_group,
    problem,
    extract(epoch FROM valid_from)::bigint,
    coalesce(extract(epoch FROM valid_to)::bigint, %(forever)s)
FROM imbalance.group_problems
WHERE balance_group = ANY (%(groups)s)
ORDER BY 1, 2, 3

-- name: resources_of_groups
SELECT balance_group, resource FROM imbalance.groups WHERE balance_group = ANY (%(groups)s)

-- name: described_points
SELECT usage_point, usage_point_id, resource, object_path, is_outdoor FROM imbalance.usage_points
WHERE usage_point = ANY (%(usage_points)s)

-- name: allowances
SELECT
    usage_point,
    extract(epoch FROM valid_from)::bigint,
    coalesce(extract(epoch FROM valid_to)::bigint, %(forever)s),
    days
FROM imbalance.allowances
WHERE usage_point = ANY (%(usage_points)s)
ORDER BY usage_point, valid_from

-- name: thermometers
SELECT
    usage_point,
    extract(epoch FROM valid_from)::bigint,
    coalesce(extract(epoch FROM valid_to)::bigint, %(forever)s),
    thermometer
FROM imbalance.thermometers
WHERE usage_point = ANY (%(usage_points)s)
ORDER BY usage_point, valid_from
