-- Statements of weather. psycopg's placeholders; a percent sign is doubled.

-- name: make_incoming_weather
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_weather (
    object_path text[], kind smallint, name text, day_start timestamptz, "values" int[], version bigint,
    reported_at timestamptz
) ON COMMIT DELETE ROWS

-- name: number_weather_sources
INSERT INTO imbalance.weather_sources (object_path, kind, name)
SELECT DISTINCT object_path, kind, name FROM incoming_weather i
WHERE NOT EXISTS (
    SELECT FROM imbalance.weather_sources s
    WHERE s.object_path = i.object_path AND s.kind = i.kind AND s.name = i.name
)
ORDER BY object_path, kind, name
ON CONFLICT (object_path, kind, name) DO NOTHING

-- name: upsert_weather
WITH stored AS (
    INSERT INTO imbalance.weather_days AS t (
        weather_source, day_start, "values", version, changed_in, reported_at
    )
    SELECT s.weather_source, i.day_start, i."values", i.version, i.version, i.reported_at
    FROM incoming_weather i
    JOIN imbalance.weather_sources s USING (object_path, kind, name)
    ORDER BY s.weather_source, i.day_start
    ON CONFLICT (weather_source, day_start) DO UPDATE SET
        "values" = excluded."values",
        version = excluded.version,
        changed_in = CASE
            WHEN t."values" IS DISTINCT FROM excluded."values" THEN excluded.version ELSE t.changed_in
        END,
        reported_at = excluded.reported_at
    WHERE excluded.version > t.version
    RETURNING weather_source, day_start, changed_in = version AS changed
)
INSERT INTO imbalance.weather_changes (object_path, first_day, last_day)
SELECT s.object_path, stored.day_start, stored.day_start
FROM stored
JOIN imbalance.weather_sources s USING (weather_source)
WHERE stored.changed

-- name: note_changed_thermometers
-- Of the reading days just stored those of outdoor thermometers. There are few, so they are sought first.
WITH outdoor AS MATERIALIZED (
    SELECT usage_point, object_path FROM imbalance.usage_points WHERE is_outdoor AND resource = 6
)
INSERT INTO imbalance.weather_changes (object_path, first_day, last_day)
SELECT o.object_path, c.day_start, c.day_start
FROM outdoor o
JOIN changed_reading_days c USING (usage_point)

-- name: outdoor_thermometers
SELECT usage_point, object_path FROM imbalance.usage_points
WHERE usage_point = ANY (%(usage_points)s) AND is_outdoor AND resource = 6

-- name: note_thermometers
-- Outdoor thermometers designated, moved or no longer designated: the days that they read, as runs. A run ends where
-- a day lacks, and where the clocks change.
INSERT INTO imbalance.weather_changes (object_path, first_day, last_day)
SELECT object_path, min(day_start), max(day_start)
FROM (
    SELECT
        t.usage_point,
        t.object_path,
        r.day_start,
        r.day_start - INTERVAL '1 day' * row_number() OVER (PARTITION BY t.usage_point, t.object_path ORDER BY r.day_start) AS run
    FROM (
        SELECT e.usage_point, ARRAY(SELECT jsonb_array_elements_text(e.object_path)) AS object_path
        FROM jsonb_to_recordset(%(thermometers)s::jsonb) AS e (usage_point int, object_path jsonb)
    ) t
    JOIN imbalance.reading_days r USING (usage_point)
) d
GROUP BY usage_point, object_path, run

-- name: weather_changes
SELECT id, object_path, first_day, last_day FROM imbalance.weather_changes ORDER BY id LIMIT %(limit)s

-- name: forget_weather_changes
DELETE FROM imbalance.weather_changes WHERE id = ANY (%(ids)s)

-- name: make_weather_spans
CREATE TEMPORARY TABLE IF NOT EXISTS weather_spans (
    object_path text[], first_day timestamptz, last_day timestamptz, until timestamptz
) ON COMMIT DELETE ROWS

-- name: make_weather_points
CREATE TEMPORARY TABLE IF NOT EXISTS weather_points (
    usage_point int, resource smallint, first_day timestamptz, last_day timestamptz, until timestamptz
) ON COMMIT DELETE ROWS

-- name: find_weather_points
-- What may depend on the weather that changed: usage points of gas (1) and heat (4), and supply meters, beneath it;
-- of some groups, or all.
INSERT INTO weather_points
SELECT u.usage_point, u.resource, s.first_day, s.last_day, s.until
FROM imbalance.usage_points u
CROSS JOIN LATERAL generate_series(0, cardinality(u.object_path)) AS n (parts)
JOIN weather_spans s ON s.object_path = u.object_path[1:n.parts]
WHERE (
        u.resource IN (1, 4)
        OR EXISTS (SELECT FROM imbalance.memberships m WHERE m.usage_point = u.usage_point AND m.role = 1)
    )
    AND (
        %(groups)s::int[] IS NULL
        OR u.usage_point IN (SELECT m.usage_point FROM imbalance.memberships m WHERE m.balance_group = ANY (%(groups)s))
    )

-- name: groups_of_weather
SELECT DISTINCT m.balance_group FROM imbalance.memberships m JOIN weather_points p USING (usage_point) ORDER BY 1

-- name: share_groups
SELECT balance_group FROM imbalance.groups WHERE balance_group = ANY (%(groups)s) ORDER BY balance_group FOR SHARE

-- name: group_days_of_weather
-- Days on which such a usage point is estimated from its past, and, for base conditions, the days themselves of
-- groups of gas (1) that it supplies (1).
SELECT g.balance_group, g.day_start
FROM (
    SELECT DISTINCT m.balance_group, p.first_day, p.until
    FROM weather_points p
    JOIN imbalance.memberships m USING (usage_point)
    WHERE p.resource IN (1, 4) AND m.balance_group = ANY (%(groups)s)
) c
JOIN imbalance.group_days g
    ON g.balance_group = c.balance_group AND g.day_start >= c.first_day AND g.day_start <= c.until
CROSS JOIN LATERAL unnest(coalesce(g.not_reported, g.missing)) AS n (usage_point)
JOIN weather_points p
    ON p.usage_point = n.usage_point
    AND p.resource IN (1, 4)
    AND g.day_start >= p.first_day
    AND g.day_start <= p.until
UNION
SELECT g.balance_group, g.day_start
FROM weather_points p
JOIN imbalance.memberships m
    ON m.usage_point = p.usage_point AND m.role = 1 AND m.balance_group = ANY (%(groups)s)
JOIN imbalance.groups b ON b.balance_group = m.balance_group AND b.resource = 1
JOIN imbalance.group_days g
    ON g.balance_group = m.balance_group AND g.day_start >= p.first_day AND g.day_start <= p.last_day

-- name: thermometers_of_objects
-- OFFSET 0 keeps this a look-up by key for each thermometer, whatever the planner believes of the table.
SELECT u.object_path, 1, u.usage_point_id, extract(epoch FROM r.day_start)::bigint, r."values", r.qualities
FROM imbalance.usage_points u
CROSS JOIN LATERAL (
    SELECT * FROM imbalance.reading_days t
    WHERE t.usage_point = u.usage_point AND t.day_start = ANY (%(day_starts)s)
    OFFSET 0
) r
WHERE u.is_outdoor AND u.resource = 6 AND u.object_path IN (
    SELECT ARRAY(SELECT jsonb_array_elements_text(p.path)) FROM jsonb_array_elements(%(paths)s::jsonb) AS p (path)
)

-- name: weather_of_objects
SELECT s.object_path, s.kind, s.name, extract(epoch FROM d.day_start)::bigint, d."values"
FROM imbalance.weather_sources s
JOIN imbalance.weather_days d USING (weather_source)
WHERE d.day_start = ANY (%(day_starts)s) AND s.object_path IN (
    SELECT ARRAY(SELECT jsonb_array_elements_text(p.path)) FROM jsonb_array_elements(%(paths)s::jsonb) AS p (path)
)
