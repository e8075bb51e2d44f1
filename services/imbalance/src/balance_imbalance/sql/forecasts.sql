-- Statements of forecasts. psycopg's placeholders; a percent sign is doubled.

-- name: forecast_points
SELECT usage_point, resource, object_path FROM imbalance.usage_points
WHERE usage_point = ANY (%(numbers)s) AND version IS NOT NULL AND resource BETWEEN 1 AND 5

-- name: forecast_groups
SELECT balance_group, resource FROM imbalance.groups
WHERE balance_group = ANY (%(numbers)s) AND resource BETWEEN 1 AND 5

-- name: fitted_spans
SELECT
    usage_point,
    extract(epoch FROM fitted_at)::bigint,
    coalesce(extract(epoch FROM removed_at)::bigint, %(forever)s)
FROM imbalance.meters
WHERE usage_point = ANY (%(numbers)s)
ORDER BY usage_point, fitted_at

-- name: supply_spans
SELECT
    m.balance_group,
    extract(epoch FROM m.valid_from)::bigint,
    coalesce(extract(epoch FROM m.valid_to)::bigint, %(forever)s),
    u.object_path
FROM imbalance.memberships m
JOIN imbalance.usage_points u USING (usage_point)
WHERE m.balance_group = ANY (%(numbers)s) AND m.role = 1
ORDER BY m.balance_group, m.ordinal

-- name: whole_reading_days
-- Days with all hours VALID (1) or EDITED (3), summed.
SELECT r.usage_point, extract(epoch FROM r.day_start)::bigint, (SELECT sum(v) FROM unnest(r."values") AS v)::bigint
FROM unnest(%(numbers)s::int[]) AS p (usage_point)
CROSS JOIN LATERAL (
    SELECT * FROM imbalance.reading_days t
    WHERE t.usage_point = p.usage_point
        AND t.day_start >= %(first)s
        AND t.day_start <= %(last)s
        AND (t.qualities IS NULL OR t.qualities <@ ARRAY[1, 3]::smallint[])
    OFFSET 0
) r

-- name: part_reading_days
SELECT r.usage_point, extract(epoch FROM r.day_start)::bigint, r."values", r.qualities
FROM unnest(%(numbers)s::int[]) AS p (usage_point)
CROSS JOIN LATERAL (
    SELECT * FROM imbalance.reading_days t
    WHERE t.usage_point = p.usage_point
        AND t.day_start >= %(first)s
        AND t.day_start <= %(last)s
        AND NOT t.qualities <@ ARRAY[1, 3]::smallint[]
    OFFSET 0
) r

-- name: whole_group_days
SELECT balance_group, extract(epoch FROM day_start)::bigint, supply FROM imbalance.group_days
WHERE balance_group = ANY (%(numbers)s)
    AND day_start >= %(first)s
    AND day_start <= %(last)s
    AND supply IS NOT NULL
    AND NOT withdrawn

-- name: objects_told
SELECT object_path FROM imbalance.weather_sources
UNION
SELECT object_path FROM imbalance.usage_points WHERE is_outdoor AND resource = 6

-- name: make_incoming_forecasts
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_forecasts (LIKE imbalance.forecasts) ON COMMIT DELETE ROWS

-- name: upsert_forecasts
INSERT INTO imbalance.forecasts AS t
SELECT i.* FROM incoming_forecasts i
WHERE i.reason <> 2
    OR EXISTS (
        SELECT FROM imbalance.forecasts f
        WHERE (f.subject_kind, f.subject, f.month_start) = (i.subject_kind, i.subject, i.month_start)
    )
ORDER BY i.subject_kind, i.subject, i.month_start
ON CONFLICT (subject_kind, subject, month_start) DO UPDATE SET
    as_of = excluded.as_of,
    used = excluded.used,
    expected = excluded.expected,
    lowest = excluded.lowest,
    highest = excluded.highest,
    days_known = excluded.days_known,
    days_to_come = excluded.days_to_come,
    method = excluded.method,
    reason = excluded.reason,
    version = t.version + 1,
    algorithm_version = excluded.algorithm_version,
    settings_hash = excluded.settings_hash,
    computed_at = excluded.computed_at,
    previous = jsonb_build_object(
        'version', t.version, 'as_of', extract(epoch FROM t.as_of)::bigint, 'used', t.used,
        'expected', t.expected, 'lowest', t.lowest, 'highest', t.highest
    )
WHERE t.algorithm_version <= excluded.algorithm_version AND t.as_of <= excluded.as_of AND (
    t.as_of, t.used, t.expected, t.lowest, t.highest, t.days_known, t.days_to_come, t.method, t.reason
) IS DISTINCT FROM (
    excluded.as_of, excluded.used, excluded.expected, excluded.lowest, excluded.highest, excluded.days_known,
    excluded.days_to_come, excluded.method, excluded.reason
) AND NOT (t.reason = 2 AND excluded.reason = 2)
RETURNING t.subject_kind, t.subject, extract(epoch FROM t.month_start)::bigint

-- name: stamp_forecasts
-- Figures that came out the same under other settings are theirs now; nothing is published for it.
UPDATE imbalance.forecasts t SET algorithm_version = i.algorithm_version, settings_hash = i.settings_hash
FROM incoming_forecasts i
WHERE (t.subject_kind, t.subject, t.month_start) = (i.subject_kind, i.subject, i.month_start)
    AND t.algorithm_version <= i.algorithm_version
    AND (t.algorithm_version, t.settings_hash) <> (i.algorithm_version, i.settings_hash)

-- name: forecasts_of_other_settings
SELECT subject, as_of FROM imbalance.forecasts
WHERE subject_kind = %(subject_kind)s
    AND algorithm_version <= %(algorithm_version)s
    AND (algorithm_version, settings_hash) <> (%(algorithm_version)s, %(settings_hash)s)
    AND as_of >= coalesce(%(since)s::timestamptz, '-infinity')

-- name: current_forecasts
SELECT coalesce(u.usage_point_id, g.group_id) AS subject_id, coalesce(u.resource, g.resource) AS resource, f.*
FROM unnest(%(kinds)s::smallint[], %(subjects)s::int[], %(months)s::timestamptz[])
    AS k (subject_kind, subject, month_start)
JOIN imbalance.forecasts f USING (subject_kind, subject, month_start)
LEFT JOIN imbalance.usage_points u ON f.subject_kind = 1 AND u.usage_point = f.subject
LEFT JOIN imbalance.groups g ON f.subject_kind = 2 AND g.balance_group = f.subject

-- name: span_of_readings
-- By usage point the first and the last day read.
SELECT p.usage_point, f.day_start, l.day_start
FROM unnest(%(numbers)s::int[]) AS p (usage_point)
CROSS JOIN LATERAL (
    SELECT day_start FROM imbalance.reading_days r WHERE r.usage_point = p.usage_point ORDER BY day_start LIMIT 1
) f
CROSS JOIN LATERAL (
    SELECT day_start FROM imbalance.reading_days r WHERE r.usage_point = p.usage_point ORDER BY day_start DESC LIMIT 1
) l

-- name: span_of_group_days
SELECT balance_group, min(day_start), max(day_start) FROM imbalance.group_days
WHERE balance_group = ANY (%(numbers)s)
GROUP BY balance_group

-- name: forecasts_of_weather
-- weather_points (sql/weather.sql): usage points beneath the weather that changed. Forecasts that stand (not
-- withdrawn, 2), of the month of the day that is touched.
SELECT p.usage_point, d.touched
FROM weather_points p
JOIN unnest(%(firsts)s::timestamptz[], %(lasts)s::timestamptz[], %(touched)s::timestamptz[], %(months)s::timestamptz[])
    AS d (first_day, last_day, touched, month_start) USING (first_day, last_day)
JOIN imbalance.forecasts f
    ON f.subject_kind = 1 AND f.subject = p.usage_point AND f.month_start = d.month_start AND f.reason <> 2
WHERE p.resource IN (1, 4)

-- name: group_forecasts_of_weather
SELECT m.balance_group, d.touched
FROM weather_points p
JOIN unnest(%(firsts)s::timestamptz[], %(lasts)s::timestamptz[], %(touched)s::timestamptz[], %(months)s::timestamptz[])
    AS d (first_day, last_day, touched, month_start) USING (first_day, last_day)
JOIN imbalance.memberships m ON m.usage_point = p.usage_point AND m.role = 1
JOIN imbalance.groups g ON g.balance_group = m.balance_group AND g.resource IN (1, 4)
JOIN imbalance.forecasts f
    ON f.subject_kind = 2 AND f.subject = m.balance_group AND f.month_start = d.month_start AND f.reason <> 2

-- name: forecast_register_state
-- Changes with every change of the register: versions only rise.
SELECT
    (SELECT (count(version), coalesce(sum(version), 0))::text FROM imbalance.usage_points)
    || (SELECT (count(*), coalesce(sum(version), 0))::text FROM imbalance.groups)

-- name: follow_forecast_points
WITH fitted AS (
    SELECT
        usage_point,
        string_agg(extract(epoch FROM fitted_at) || ' ' || coalesce(extract(epoch FROM removed_at), -1), ',' ORDER BY fitted_at, removed_at) AS spans
    FROM imbalance.meters
    GROUP BY usage_point
), now AS (
    SELECT u.usage_point AS subject, md5(u.resource || u.object_path::text || coalesce(f.spans, '')) AS stamp
    FROM imbalance.usage_points u
    LEFT JOIN fitted f USING (usage_point)
    WHERE u.version IS NOT NULL
)
INSERT INTO imbalance.forecast_subjects AS t (subject_kind, subject, stamp)
SELECT 1, subject, stamp FROM now
WHERE NOT EXISTS (
    SELECT FROM imbalance.forecast_subjects s
    WHERE s.subject_kind = 1 AND s.subject = now.subject AND s.stamp = now.stamp
)
ORDER BY subject
ON CONFLICT (subject_kind, subject) DO UPDATE SET stamp = excluded.stamp
RETURNING subject

-- name: follow_forecast_groups
WITH supplied AS (
    SELECT
        m.balance_group,
        string_agg(
            extract(epoch FROM m.valid_from) || ' ' || coalesce(extract(epoch FROM m.valid_to), -1) || ' ' || u.object_path::text,
            ',' ORDER BY m.ordinal
        ) AS spans
    FROM imbalance.memberships m
    JOIN imbalance.usage_points u USING (usage_point)
    WHERE m.role = 1
    GROUP BY m.balance_group
), now AS (
    SELECT g.balance_group AS subject, md5(g.resource || coalesce(s.spans, '')) AS stamp
    FROM imbalance.groups g
    LEFT JOIN supplied s USING (balance_group)
)
INSERT INTO imbalance.forecast_subjects AS t (subject_kind, subject, stamp)
SELECT 2, subject, stamp FROM now
WHERE NOT EXISTS (
    SELECT FROM imbalance.forecast_subjects s
    WHERE s.subject_kind = 2 AND s.subject = now.subject AND s.stamp = now.stamp
)
ORDER BY subject
ON CONFLICT (subject_kind, subject) DO UPDATE SET stamp = excluded.stamp
RETURNING subject
