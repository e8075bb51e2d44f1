-- Statements of the pages of balance groups and of the object tree, over published views alone.

-- name: group_states
-- How every group in use stands; figures are null where it has no group-day yet. Each day from the
-- one with the instant alike_since on had the verdict of the 7 days; all of days_alike had, if no other is within 30.
SELECT
    e.name AS group_id,
    h.value->>'name' AS name,
    h.value->>'resource' AS resource,
    s.unit,
    s.day_start,
    s.members_due,
    s.members_reported,
    s.problems,
    s.supply_7d,
    s.imbalance_7d,
    s.relative_imbalance_7d,
    s.tolerance_7d,
    s.coverage_7d,
    s.verdict_7d,
    s.onset_since_day,
    s.onset_side,
    s.onset_size_per_day,
    s.hour_alarm_start_at,
    s.hour_alarm_ended_at,
    w.days_known,
    w.days_due,
    CASE WHEN o.last_other_day < s.day_start THEN o.last_other_day + INTERVAL '36 hours' END AS alike_since,
    CASE WHEN o.last_other_day IS NULL THEN o.days END AS days_alike
FROM gateway.v_entities e
-- Many members are long to look through: once, not for each field.
CROSS JOIN LATERAL (SELECT e.value - 'members' AS value OFFSET 0) h
LEFT JOIN imbalance.v_group_states s ON s.group_id = e.name
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE d.coverage <> 'NOT_COMPUTABLE')::int AS days_known, count(*)::int AS days_due
    FROM imbalance.v_group_days d
    WHERE d.group_id = e.name AND d.day_start > s.day_start - INTERVAL '156 hours' AND d.day_start <= s.day_start
) w ON true
LEFT JOIN LATERAL (
    SELECT max(d.day_start) FILTER (WHERE d.verdict <> s.verdict_7d) AS last_other_day, count(*)::int AS days
    FROM imbalance.v_group_days d
    WHERE s.verdict_7d IN ('LOSS', 'SURPLUS')
        AND d.group_id = e.name AND d.day_start > s.day_start - INTERVAL '708 hours' AND d.day_start <= s.day_start
) o ON true
WHERE e.kind = 'balance-group' AND h.value->>'state' = 'ACTIVE' AND (%(group_id)s::text IS NULL OR e.name = %(group_id)s)

-- name: group_trends
-- Relative imbalance of these groups on the last days before an instant.
SELECT
    d.group_id,
    d.day_start,
    d.relative_imbalance AS share,
    d.tolerance / nullif(d.supply, 0)::double precision AS tolerance_share,
    d.verdict,
    d.coverage
FROM imbalance.v_group_days d
WHERE d.group_id = ANY (%(groups)s) AND d.day_start > %(after)s AND d.day_start <= %(until)s
ORDER BY d.group_id, d.day_start

-- name: group_places
-- The first and the last of the paths of the usage points of each group, nested ones included, as texts of JSON
-- in the order of bytes: what both begin with, all begin with.
WITH RECURSIVE holding (group_id, held_id) AS (
    SELECT e.name, e.name FROM gateway.v_entities e
    WHERE e.kind = 'balance-group' AND (%(group_id)s::text IS NULL OR e.name = %(group_id)s)
    UNION
    SELECT h.group_id, l.to_name FROM holding h
    JOIN gateway.v_links l ON l.kind = 'balance-group' AND l.name = h.held_id AND l.to_kind = 'balance-group'
)
SELECT p.group_id, min(p.path) AS first_path, max(p.path) AS last_path
FROM (
    SELECT h.group_id, (e.value->>'object_path') COLLATE "C" AS path
    FROM holding h
    JOIN gateway.v_links l ON l.kind = 'balance-group' AND l.name = h.held_id AND l.to_kind = 'usage-point'
    JOIN gateway.v_entities e ON e.kind = l.to_kind AND e.name = l.to_name
    OFFSET 0 -- paths are sorted, not whole usage points
) p
GROUP BY p.group_id

-- name: register_head
-- The newest change: what is computed of the register holds until there is another.
SELECT max(c.number) AS number FROM gateway.v_changes c

-- name: group_days
SELECT
    d.day_start,
    d.day_start AS start_at,
    d.end_at,
    d.unit,
    d.supply,
    d.members,
    d.imbalance,
    d.relative_imbalance,
    d.tolerance,
    d.unregistered,
    d.imbalance_lowest,
    d.imbalance_highest,
    d.coverage,
    d.verdict,
    d.members_due,
    d.members_reported,
    d.missing_share,
    d.missing_usage_points,
    d.unmetered_usage_points,
    d.version,
    d.computed_at,
    d.is_recomputation,
    (d.previous->>'imbalance')::bigint AS imbalance_before
FROM imbalance.v_group_days d
WHERE d.group_id = %(group_id)s AND d.day_start > %(after)s AND d.day_start <= %(until)s
ORDER BY d.day_start

-- name: group_hours
SELECT
    h.start_at,
    h.end_at,
    h.unit,
    h.supply,
    h.members,
    h.imbalance,
    h.relative_imbalance,
    h.tolerance,
    h.unregistered,
    h.coverage,
    h.verdict,
    h.members_due,
    h.members_reported
FROM imbalance.v_group_hours h
WHERE h.group_id = %(group_id)s AND h.day_start > %(after)s AND h.day_start <= %(until)s
ORDER BY h.start_at

-- name: group_months
SELECT
    m.month,
    m.day_start AS start_at,
    m.end_at,
    m.unit,
    m.days_due,
    m.days_computable,
    m.supply,
    m.members,
    m.imbalance,
    m.relative_imbalance,
    m.tolerance,
    m.unregistered,
    m.coverage,
    m.verdict,
    m.members_due,
    m.members_reported
FROM imbalance.v_group_months m
WHERE m.group_id = %(group_id)s AND m.day_start > %(after)s AND m.day_start <= %(until)s
ORDER BY m.month

-- name: group_members
-- Memberships of a group as the register has them, with what stands of each usage point; instants in ms since 1970.
SELECT
    m.one->>'usage_point_id' AS usage_point_id,
    m.one->>'group_id' AS nested_group_id,
    m.one->>'role' AS role,
    (m.one->>'coefficient_ppm')::bigint AS coefficient_ppm,
    (m.one->>'valid_from')::bigint AS valid_from,
    (m.one->>'valid_to')::bigint AS valid_to,
    p.value->'object_path' AS object_path,
    p.value->'meters' AS meters
FROM gateway.v_entities g
CROSS JOIN LATERAL jsonb_array_elements(g.value->'members') WITH ORDINALITY AS m (one, ordinal)
LEFT JOIN gateway.v_entities p ON p.kind = 'usage-point' AND p.name = m.one->>'usage_point_id'
WHERE g.kind = 'balance-group' AND g.name = %(group_id)s
ORDER BY m.ordinal

-- name: used_by_members
-- Consumption of these usage points on these metering days, and how many of their hours were heard.
SELECT
    r.usage_point_id,
    sum(r.value)::bigint AS used,
    (count(*) FILTER (WHERE r.quality IN ('VALID', 'EDITED')))::int AS hours_reported,
    (count(*) FILTER (WHERE r.quality = 'ESTIMATED'))::int AS hours_estimated
FROM ingest.v_readings r
WHERE r.day_start = ANY (%(days)s) AND r.usage_point_id = ANY (%(points)s)
GROUP BY r.usage_point_id

-- name: findings_of_members
-- Findings that stand about these usage points, by the worst, of intervals that end after an instant.
SELECT
    f.usage_point_id,
    count(*)::int AS findings,
    bool_or(f.severity = 'ERROR') AS has_error,
    (array_agg(f.message ORDER BY f.severity = 'ERROR' DESC, f.interval_end_at DESC))[1] AS newest
FROM ingest.v_findings f
WHERE f.usage_point_id = ANY (%(points)s) AND f.state = 'OPEN' AND f.severity <> 'INFORMATION' AND f.interval_end_at > %(after)s
GROUP BY f.usage_point_id

-- name: group_onsets
SELECT o.since_day, o.alarmed_day, o.ended_day, o.side, o.size_per_day, o.unit
FROM imbalance.v_group_onsets o
WHERE o.group_id = %(group_id)s
ORDER BY o.alarmed_day DESC
LIMIT 20

-- name: group_hour_alarms
SELECT a.start_at, a.ended_at, a.hours_above, a.excess_per_hour, a.unit
FROM imbalance.v_group_hour_alarms a
WHERE a.group_id = %(group_id)s
ORDER BY a.start_at DESC
LIMIT 20

-- name: objects_beneath
-- Objects one level beneath a path of so many nodes, with their usage points; `place` asks for what lies in it.
SELECT p.value->'object_path'->>%(depth)s AS name, count(*)::int AS usage_points
FROM gateway.v_search p
WHERE p.words @@ ('#usage-point'::tsquery && %(place)s::tsquery) AND p.value->>'state' = 'ACTIVE'
GROUP BY 1
ORDER BY 1

-- name: points_of_object
-- Usage points of an object itself.
SELECT p.name AS usage_point_id, p.value->>'resource' AS resource
FROM gateway.v_search p
WHERE p.words @@ ('#usage-point'::tsquery && %(place)s::tsquery) AND p.value->>'state' = 'ACTIVE'
    AND p.value->'object_path' = to_jsonb(%(path)s::text[])
ORDER BY 1
LIMIT 500
