-- Statements of inadequacy days. psycopg's placeholders; a percent sign is doubled.

-- name: register_state
-- Changes with every change of the register: versions only rise.
SELECT
    (SELECT (count(version), coalesce(sum(version), 0))::text FROM imbalance.usage_points)
    || (SELECT (count(*), coalesce(sum(version), 0))::text FROM imbalance.groups)

-- name: make_homes_now
CREATE TEMPORARY TABLE IF NOT EXISTS homes_now (LIKE imbalance.inadequacy_homes) ON COMMIT DELETE ROWS

-- name: make_homes_changed
CREATE TEMPORARY TABLE IF NOT EXISTS homes_changed (LIKE imbalance.inadequacy_homes) ON COMMIT DELETE ROWS

-- name: find_homes_now
-- Gas (1) and heat (4), no supply meter (1) of a group, and a thermometer that is not outdoors.
INSERT INTO homes_now
SELECT
    u.usage_point,
    t.thermometer,
    t.valid_from,
    coalesce(t.valid_to, 'infinity'),
    u.resource,
    u.object_path,
    CASE
        WHEN cardinality(u.object_path) > 4 THEN u.object_path[1:4]
        ELSE u.object_path[1:cardinality(u.object_path) - 1]
    END
FROM imbalance.usage_points u
JOIN imbalance.thermometers t USING (usage_point)
JOIN imbalance.usage_points r ON r.usage_point = t.thermometer
WHERE u.resource IN (1, 4)
    AND NOT r.is_outdoor
    AND NOT EXISTS (SELECT FROM imbalance.memberships m WHERE m.usage_point = u.usage_point AND m.role = 1)

-- name: find_homes_changed
INSERT INTO homes_changed
(SELECT * FROM homes_now EXCEPT SELECT * FROM imbalance.inadequacy_homes)
UNION ALL
(SELECT * FROM imbalance.inadequacy_homes EXCEPT SELECT * FROM homes_now)

-- name: forget_homes_changed
DELETE FROM imbalance.inadequacy_homes WHERE usage_point IN (SELECT usage_point FROM homes_changed)

-- name: keep_homes_changed
INSERT INTO imbalance.inadequacy_homes
SELECT * FROM homes_now WHERE usage_point IN (SELECT usage_point FROM homes_changed)

-- name: days_of_homes_changed
-- Their own days, and for each building that they left or entered those of a home there.
WITH days AS MATERIALIZED (
    SELECT c.usage_point, c.building, c.resource, r.day_start
    FROM homes_changed c
    JOIN imbalance.reading_days r
        ON r.usage_point IN (c.usage_point, c.thermometer)
        AND r.day_start >= c.valid_from
        AND r.day_start < c.valid_to
        AND r.day_start <= %(done_to)s
    UNION
    SELECT c.usage_point, c.building, c.resource, d.day_start
    FROM homes_changed c
    JOIN imbalance.inadequacy_days d
        ON d.usage_point = c.usage_point AND d.day_start >= c.valid_from AND d.day_start < c.valid_to
)
SELECT usage_point, day_start FROM days
UNION
SELECT n.usage_point, d.day_start
FROM (SELECT DISTINCT building, resource, day_start FROM days WHERE building <> '{}') d
CROSS JOIN LATERAL (
    SELECT h.usage_point FROM imbalance.inadequacy_homes h
    WHERE h.building = d.building AND h.resource = d.resource AND h.valid_from <= d.day_start AND h.valid_to > d.day_start
    LIMIT 1
) n

-- name: days_of_weather
-- Rows that stand (not withdrawn, 7) of homes beneath an object whose weather changed. The bounds are those of all
-- that changed.
SELECT i.usage_point, i.day_start
FROM weather_points p
JOIN imbalance.inadequacy_days i
    ON i.usage_point = p.usage_point AND i.day_start >= p.first_day AND i.day_start <= p.last_day
WHERE i.day_start >= %(first)s AND i.day_start <= %(last)s AND i.state <> 7

-- name: make_due_homes
CREATE TEMPORARY TABLE IF NOT EXISTS due_homes (usage_point int, day_start timestamptz) ON COMMIT DELETE ROWS

-- name: make_wanted_homes
CREATE TEMPORARY TABLE IF NOT EXISTS wanted_homes (
    usage_point int, day_start timestamptz, thermometer int, resource smallint, object_path text[], building text[]
) ON COMMIT DELETE ROWS

-- name: find_wanted_homes
-- Whoever was marked, by itself or its thermometer, and with it its building.
WITH hit AS MATERIALIZED (
    SELECT h.*, d.day_start
    FROM due_homes d
    JOIN imbalance.inadequacy_homes h
        ON h.usage_point = d.usage_point AND h.valid_from <= d.day_start AND h.valid_to > d.day_start
    UNION
    SELECT h.*, d.day_start
    FROM due_homes d
    JOIN imbalance.inadequacy_homes h
        ON h.thermometer = d.usage_point AND h.valid_from <= d.day_start AND h.valid_to > d.day_start
)
INSERT INTO wanted_homes
SELECT h.usage_point, k.day_start, h.thermometer, h.resource, h.object_path, h.building
FROM (SELECT DISTINCT building, resource, day_start FROM hit WHERE building <> '{}') k
JOIN imbalance.inadequacy_homes h
    ON h.building = k.building AND h.resource = k.resource AND h.valid_from <= k.day_start AND h.valid_to > k.day_start
UNION ALL
SELECT usage_point, day_start, thermometer, resource, object_path, building FROM hit WHERE building = '{}'

-- name: wanted_homes_of_day
-- OFFSET 0 keeps these look-ups by key, whatever the planner believes of the table.
SELECT w.usage_point, w.resource, w.object_path, w.building, g."values", g.qualities, t."values", t.qualities
FROM wanted_homes w
LEFT JOIN LATERAL (
    SELECT r."values", r.qualities FROM imbalance.reading_days r
    WHERE r.usage_point = w.usage_point AND r.day_start = %(day_start)s OFFSET 0
) g ON true
LEFT JOIN LATERAL (
    SELECT r."values", r.qualities FROM imbalance.reading_days r
    WHERE r.usage_point = w.thermometer AND r.day_start = %(day_start)s OFFSET 0
) t ON true
WHERE w.day_start = %(day_start)s
ORDER BY w.usage_point

-- name: past_of_homes
SELECT usage_point, count(*), sum(x), sum(g), sum(x * x), sum(x * g), sum(g * g)
FROM (
    SELECT d.usage_point, d.consumed::bigint AS g, greatest(0, d.indoor - d.outdoor - %(free_heat)s)::bigint AS x
    FROM imbalance.inadequacy_days d
    WHERE d.usage_point = ANY (%(usage_points)s)
        AND d.day_start >= %(start_day)s
        AND d.day_start < %(end_day)s
        AND d.consumed IS NOT NULL
        AND d.indoor IS NOT NULL
        AND d.outdoor < %(heating_base)s
) good
GROUP BY usage_point

-- name: make_incoming_inadequacy
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_inadequacy_days (LIKE imbalance.inadequacy_days) ON COMMIT DELETE ROWS

-- name: withdraw_inadequacy
INSERT INTO incoming_inadequacy_days (
    usage_point, day_start, state, like_homes, version, algorithm_version, settings_hash, computed_at
)
SELECT t.usage_point, t.day_start, %(withdrawn)s, 0, 1, t.algorithm_version, t.settings_hash, %(computed_at)s
FROM (SELECT usage_point, day_start FROM due_homes UNION SELECT usage_point, day_start FROM wanted_homes) k
JOIN imbalance.inadequacy_days t USING (usage_point, day_start)
WHERE t.state <> %(withdrawn)s
    AND k.day_start = ANY (%(day_starts)s)
    AND NOT EXISTS (
        SELECT FROM incoming_inadequacy_days i WHERE i.usage_point = t.usage_point AND i.day_start = t.day_start
    )

-- name: days_that_learn
-- Days on which the home's past is asked for, of homes of which a good day of that past changed.
SELECT l.usage_point, l.day_start
FROM incoming_inadequacy_days i
JOIN unnest(%(day_starts)s::timestamptz[], %(firsts)s::timestamptz[], %(ends)s::timestamptz[])
    AS s (day_start, first_day, end_day) USING (day_start)
LEFT JOIN imbalance.inadequacy_days t ON t.usage_point = i.usage_point AND t.day_start = i.day_start
JOIN imbalance.inadequacy_days l
    ON l.usage_point = i.usage_point AND l.day_start >= s.first_day AND l.day_start < s.end_day AND l.state = 1
WHERE (i.consumed, i.indoor, i.outdoor) IS DISTINCT FROM (t.consumed, t.indoor, t.outdoor)

-- name: upsert_inadequacy
INSERT INTO imbalance.inadequacy_days AS t
SELECT * FROM incoming_inadequacy_days
ORDER BY day_start, usage_point
ON CONFLICT (day_start, usage_point) DO UPDATE SET
    state = excluded.state,
    consumed = excluded.consumed,
    indoor = excluded.indoor,
    outdoor = excluded.outdoor,
    expected_own = excluded.expected_own,
    expected_like_homes = excluded.expected_like_homes,
    like_homes = excluded.like_homes,
    like_homes_indoor = excluded.like_homes_indoor,
    version = t.version + 1,
    algorithm_version = excluded.algorithm_version,
    settings_hash = excluded.settings_hash,
    computed_at = excluded.computed_at
WHERE t.algorithm_version <= excluded.algorithm_version AND (
    t.state, t.consumed, t.indoor, t.outdoor, t.expected_own, t.expected_like_homes, t.like_homes, t.like_homes_indoor
) IS DISTINCT FROM (
    excluded.state, excluded.consumed, excluded.indoor, excluded.outdoor, excluded.expected_own,
    excluded.expected_like_homes, excluded.like_homes, excluded.like_homes_indoor
)
RETURNING t.usage_point, t.day_start

-- name: stamp_inadequacy
-- Figures that came out the same under other settings are theirs now; nothing is published for it.
UPDATE imbalance.inadequacy_days t SET algorithm_version = i.algorithm_version, settings_hash = i.settings_hash
FROM incoming_inadequacy_days i
WHERE t.usage_point = i.usage_point
    AND t.day_start = i.day_start
    AND t.algorithm_version <= i.algorithm_version
    AND (t.algorithm_version, t.settings_hash) <> (i.algorithm_version, i.settings_hash)

-- name: inadequacy_of_other_settings
SELECT usage_point, day_start FROM imbalance.inadequacy_days
WHERE algorithm_version <= %(algorithm_version)s
    AND (algorithm_version, settings_hash) <> (%(algorithm_version)s, %(settings_hash)s)
    AND state <> 7
    AND day_start >= coalesce(%(since)s::timestamptz, '-infinity')

-- name: current_inadequacy_days
SELECT u.usage_point_id, u.resource, d.*
FROM unnest(%(usage_points)s::int[], %(day_starts)s::timestamptz[]) AS k (usage_point, day_start)
JOIN imbalance.inadequacy_days d USING (usage_point, day_start)
JOIN imbalance.usage_points u USING (usage_point)
