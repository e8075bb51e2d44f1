-- Statements of the register's projection. psycopg's placeholders; a percent sign is doubled.

-- name: describe_usage_points
UPDATE imbalance.usage_points u SET
    version = d.version,
    resource = d.resource,
    object_path = d.object_path,
    is_outdoor = d.is_outdoor
FROM jsonb_to_recordset(%(rows)s)
    AS d (usage_point int, version bigint, resource smallint, object_path text[], is_outdoor boolean)
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
-- Days of groups in a changed span of a usage point: those computed before, and those with its readings; and later
-- ones on which it is missing: it may be unmetered since its membership began.
WITH span AS MATERIALIZED (
    SELECT s.balance_group, s.usage_point, s.start_day, coalesce(s.end_at, 'infinity') AS end_at, s.until
    FROM unnest(
        %(groups)s::int[], %(subjects)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
        %(untils)s::timestamptz[]
    ) AS s (balance_group, usage_point, start_day, end_at, until)
)
SELECT d.balance_group, d.day_start
FROM span
JOIN imbalance.group_days d
    ON d.balance_group = span.balance_group AND d.day_start >= span.start_day AND d.day_start < span.end_at
UNION
SELECT d.balance_group, d.day_start
FROM span
JOIN imbalance.group_days d
    ON d.balance_group = span.balance_group AND d.day_start >= span.end_at AND d.day_start < span.until
WHERE span.usage_point = ANY (d.missing)
UNION
SELECT span.balance_group, r.day_start
FROM span
JOIN imbalance.reading_days r
    ON r.usage_point = span.usage_point AND r.day_start >= span.start_day AND r.day_start < span.end_at

-- name: days_of_changed_meters
-- Days of groups in a changed span of a usage point, while it belongs to them.
WITH span AS MATERIALIZED (
    SELECT s.usage_point, s.start_day, coalesce(s.end_at, 'infinity') AS end_at
    FROM unnest(%(subjects)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
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
-- As strong as the changes that follow need, in the order in which everybody takes them.
SELECT balance_group FROM imbalance.groups
WHERE group_id = ANY (%(group_ids)s::text[]) OR balance_group IN (
    SELECT balance_group FROM imbalance.memberships WHERE usage_point = ANY (%(usage_points)s::int[])
)
ORDER BY balance_group
FOR NO KEY UPDATE

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

-- name: channels
SELECT
    usage_point,
    module_id,
    channel,
    extract(epoch FROM fitted_at)::bigint,
    coalesce(extract(epoch FROM removed_at)::bigint, %(forever)s)
FROM imbalance.channels
WHERE usage_point = ANY (%(usage_points)s)

-- name: forget_channels
DELETE FROM imbalance.channels WHERE usage_point = ANY (%(usage_points)s)

-- name: modules_set_to
-- Settings hold [since, mode, concentrator]: a list that holds a list that holds the id.
SELECT DISTINCT m.module_id
FROM unnest(%(concentrators)s::text[]) AS c (concentrator_id)
JOIN imbalance.modules m ON m.settings @> jsonb_build_array(jsonb_build_array(c.concentrator_id))

-- name: points_on_modules
SELECT DISTINCT usage_point FROM imbalance.channels WHERE module_id = ANY (%(modules)s)

-- name: keep_modules
INSERT INTO imbalance.modules AS t (module_id, version, settings)
SELECT module_id, version, settings
FROM jsonb_to_recordset(%(rows)s) AS d (module_id text, version bigint, settings jsonb)
ORDER BY module_id
ON CONFLICT (module_id) DO UPDATE SET version = excluded.version, settings = excluded.settings
WHERE t.version < excluded.version

-- name: settings_of_modules
SELECT module_id, settings FROM imbalance.modules WHERE module_id = ANY (%(modules)s)

-- name: keep_concentrators
INSERT INTO imbalance.concentrators AS t (concentrator_id, version, settings)
SELECT concentrator_id, version, settings
FROM jsonb_to_recordset(%(rows)s) AS d (concentrator_id text, version bigint, settings jsonb)
ORDER BY concentrator_id
ON CONFLICT (concentrator_id) DO UPDATE SET version = excluded.version, settings = excluded.settings
WHERE t.version < excluded.version

-- name: settings_of_concentrators
SELECT concentrator_id, settings FROM imbalance.concentrators WHERE concentrator_id = ANY (%(concentrators)s)

-- name: thermometers_on_modules
SELECT
    c.module_id,
    u.usage_point_id,
    c.usage_point,
    extract(epoch FROM c.fitted_at)::bigint,
    coalesce(extract(epoch FROM c.removed_at)::bigint, %(forever)s)
FROM imbalance.channels c
JOIN imbalance.usage_points u USING (usage_point)
WHERE c.module_id = ANY (%(modules)s) AND u.resource = %(temperature)s

-- name: forget_allowances
DELETE FROM imbalance.allowances WHERE usage_point = ANY (%(usage_points)s)

-- name: forget_thermometers
DELETE FROM imbalance.thermometers WHERE usage_point = ANY (%(usage_points)s)

-- name: groups_reaching
-- These groups, described or not, and every group that has one of them nested in it at any depth.
WITH RECURSIVE reaching AS (
    SELECT unnest(%(group_ids)s::text[]) AS group_id
    UNION
    SELECT g.group_id
    FROM reaching r
    JOIN imbalance.entries e ON e.nested_group = r.group_id
    JOIN imbalance.groups g USING (balance_group)
)
SELECT group_id FROM reaching

-- name: numbers_of_groups
SELECT group_id, balance_group FROM imbalance.groups WHERE group_id = ANY (%(group_ids)s)

-- name: entries_reached
-- Of these groups and every described group nested in one at any depth; one row without an entry for a group
-- that has none.
WITH RECURSIVE reached AS (
    SELECT balance_group, group_id FROM imbalance.groups WHERE balance_group = ANY (%(groups)s)
    UNION
    SELECT g.balance_group, g.group_id
    FROM reached r
    JOIN imbalance.entries e USING (balance_group)
    JOIN imbalance.groups g ON g.group_id = e.nested_group
)
SELECT
    r.group_id,
    e.usage_point,
    e.nested_group,
    e.role,
    e.coefficient_ppm,
    extract(epoch FROM e.valid_from)::bigint,
    coalesce(extract(epoch FROM e.valid_to)::bigint, %(forever)s)
FROM reached r
LEFT JOIN imbalance.entries e USING (balance_group)
ORDER BY r.balance_group, e.ordinal

-- name: forget_entries
DELETE FROM imbalance.entries WHERE balance_group = ANY (%(groups)s)

-- name: forget_problems
DELETE FROM imbalance.group_problems WHERE balance_group = ANY (%(groups)s)

-- name: refill_groups
-- Days that exist by silence are looked for once more.
UPDATE imbalance.groups SET filled_from = NULL, filled_to = NULL WHERE balance_group = ANY (%(groups)s)

-- name: days_of_groups
SELECT balance_group, day_start FROM imbalance.group_days WHERE balance_group = ANY (%(groups)s)

-- name: days_of_changed_problems
SELECT d.balance_group, d.day_start
FROM unnest(%(subjects)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS span (balance_group, start_day, end_at)
JOIN imbalance.group_days d
    ON d.balance_group = span.balance_group
    AND d.day_start >= span.start_day
    AND d.day_start < coalesce(span.end_at, 'infinity')

-- name: days_of_changed_allowances
-- Days that start in a changed span of a usage point and on which it is missing: it may be unmetered or not.
SELECT d.balance_group, d.day_start
FROM unnest(%(subjects)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS span (usage_point, start_at, end_at)
CROSS JOIN LATERAL (
    SELECT DISTINCT m.balance_group FROM imbalance.memberships m WHERE m.usage_point = span.usage_point
) m
JOIN imbalance.group_days d
    ON d.balance_group = m.balance_group
    AND d.day_start >= span.start_at
    AND d.day_start < coalesce(span.end_at, 'infinity')
WHERE span.usage_point = ANY (d.missing)

-- name: days_of_changed_thermometers
-- Days that start in a changed span of a usage point, of groups of gas that it belongs to then.
SELECT d.balance_group, d.day_start
FROM unnest(%(subjects)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS span (usage_point, start_at, end_at)
JOIN imbalance.memberships m USING (usage_point)
JOIN imbalance.groups g ON g.balance_group = m.balance_group AND g.resource = %(gas)s
JOIN imbalance.group_days d
    ON d.balance_group = m.balance_group
    AND d.day_start >= greatest(span.start_at, m.valid_from - INTERVAL '25 hours')
    AND d.day_start < least(coalesce(span.end_at, 'infinity'), coalesce(m.valid_to, 'infinity'))

-- name: days_of_moved_points
-- Days on which a usage point's past takes part, scaled to the weather where it is; and of groups of gas all days
-- of one that supplies them, for base conditions may take the temperature outside from there.
SELECT d.balance_group, d.day_start
FROM imbalance.memberships m
JOIN imbalance.groups g USING (balance_group)
JOIN imbalance.group_days d USING (balance_group)
WHERE m.usage_point = ANY (%(usage_points)s)
    AND (
        m.usage_point = ANY (coalesce(d.not_reported, d.missing))
        OR (g.resource = %(gas)s AND m.role = %(supply)s)
    )
