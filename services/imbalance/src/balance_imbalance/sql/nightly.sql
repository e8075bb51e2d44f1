-- Results computed once a metering day. Locks: see adapters/postgres_nightly.py.

-- name: lock_nightly_shared
-- Every row, whatever it holds: one that is being changed is waited for.
SELECT kind, CASE WHEN isfinite(done_to) THEN done_to END FROM imbalance.nightly
WHERE kind = ANY (%(kinds)s)
ORDER BY kind
FOR SHARE

-- name: lock_nightly
SELECT CASE WHEN isfinite(done_to) THEN done_to END FROM imbalance.nightly WHERE kind = %(kind)s FOR UPDATE

-- name: set_nightly
UPDATE imbalance.nightly SET done_to = %(last)s WHERE kind = %(kind)s

-- name: begin_first_marking
INSERT INTO imbalance.nightly_marking (kind, first_to, marked_to) VALUES (%(kind)s, %(last)s, '-infinity')
ON CONFLICT (kind) DO UPDATE SET first_to = excluded.first_to, marked_to = excluded.marked_to

-- name: begin_marking
-- A row that is there says itself how far marking came; it is not waited for.
INSERT INTO imbalance.nightly_marking (kind, first_to, marked_to) VALUES (%(kind)s, '-infinity', %(done_to)s)
ON CONFLICT (kind) DO NOTHING

-- name: lock_nightly_marking
SELECT
    CASE WHEN isfinite(m.marked_to) THEN m.marked_to END,
    CASE WHEN isfinite(m.first_to) THEN m.first_to END,
    n.done_to
FROM imbalance.nightly_marking m
JOIN imbalance.nightly n USING (kind)
WHERE m.kind = %(kind)s
FOR UPDATE OF m SKIP LOCKED

-- name: set_nightly_marking
UPDATE imbalance.nightly_marking SET marked_to = %(marked_to)s WHERE kind = %(kind)s

-- name: all_reading_days
SELECT DISTINCT day_start FROM imbalance.reading_days

-- name: all_group_days
SELECT DISTINCT day_start FROM imbalance.group_days

-- name: late_reading_days
SELECT c.usage_point, d.touched
FROM changed_reading_days c
JOIN unnest(%(days)s::timestamptz[], %(touched)s::timestamptz[]) AS d (day_start, touched) USING (day_start)

-- name: first_reading_days
SELECT r.usage_point, d.touched
FROM imbalance.reading_days r
JOIN unnest(%(days)s::timestamptz[], %(touched)s::timestamptz[]) AS d (day_start, touched) USING (day_start)
WHERE r.day_start >= %(first)s AND r.day_start <= %(last)s

-- name: first_group_days
SELECT g.balance_group, d.touched
FROM imbalance.group_days g
JOIN unnest(%(days)s::timestamptz[], %(touched)s::timestamptz[]) AS d (day_start, touched) USING (day_start)
WHERE g.day_start >= %(first)s AND g.day_start <= %(last)s

-- name: late_group_days
SELECT c.balance_group, d.touched
FROM unnest(%(groups)s::int[], %(group_days)s::timestamptz[]) AS c (balance_group, day_start)
JOIN unnest(%(days)s::timestamptz[], %(touched)s::timestamptz[]) AS d (day_start, touched) USING (day_start)

-- name: fallen_reading_days
SELECT u.usage_point, d.day
FROM imbalance.usage_points u CROSS JOIN unnest(%(days)s::timestamptz[]) AS d (day)
WHERE u.version IS NOT NULL

-- name: first_home_days
SELECT h.usage_point, d.touched
FROM imbalance.reading_days r
JOIN unnest(%(days)s::timestamptz[], %(touched)s::timestamptz[]) AS d (day_start, touched) USING (day_start)
JOIN (
    SELECT usage_point, usage_point AS read, valid_from, valid_to FROM imbalance.inadequacy_homes
    UNION ALL
    SELECT usage_point, thermometer, valid_from, valid_to FROM imbalance.inadequacy_homes
) h ON h.read = r.usage_point AND h.valid_from <= d.touched AND h.valid_to > d.touched

-- name: fallen_home_days
SELECT h.usage_point, d.day
FROM imbalance.inadequacy_homes h
JOIN unnest(%(days)s::timestamptz[]) AS d (day) ON h.valid_from <= d.day AND h.valid_to > d.day

-- name: fallen_group_days
SELECT g.balance_group, d.day FROM imbalance.groups g CROSS JOIN unnest(%(days)s::timestamptz[]) AS d (day)
