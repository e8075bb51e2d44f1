-- name: lock_onsets
-- One writer a group, also while two processes hold its partition during a rebalance; always in one order.
SELECT group_id, balance_group
FROM (
    SELECT group_id, balance_group
    FROM imbalance.groups WHERE group_id = ANY (%(group_ids)s)
    ORDER BY balance_group
    OFFSET 0
) AS ordered, LATERAL (SELECT pg_advisory_xact_lock(hashtext('imbalance.onset_days'), balance_group)) AS held

-- name: first_unfollowed_days
-- Group-days are told one by one, but gone over all that are there: the message of one may come long after.
SELECT w.balance_group, days.first, days.count
FROM unnest(%(groups)s::int[], %(firsts)s::timestamptz[]) AS w (balance_group, first), LATERAL (
    SELECT
        min(g.day_start) FILTER (WHERE CASE
            WHEN g.withdrawn THEN o.version IS NOT NULL
            ELSE (o.version, o.settings_hash) IS DISTINCT FROM (g.version, %(settings_hash)s)
        END) AS first,
        count(*)
    FROM imbalance.group_days g
    LEFT JOIN imbalance.onset_days o USING (balance_group, day_start)
    WHERE g.balance_group = w.balance_group AND g.day_start >= w.first
) AS days

-- name: first_news
-- The first day, of those gone over, that changed by more than recomputations since it was gone over last.
SELECT w.balance_group, days.first
FROM unnest(%(groups)s::int[], %(firsts)s::timestamptz[]) AS w (balance_group, after), LATERAL (
    SELECT min(g.day_start) AS first
    FROM imbalance.group_days g
    LEFT JOIN imbalance.onset_days o USING (balance_group, day_start)
    WHERE g.balance_group = w.balance_group
        AND g.day_start > w.after
        AND coalesce(g.news_version, CASE WHEN g.is_recomputation THEN 0 ELSE g.version END) > coalesce(o.version, 0)
        AND NOT (g.withdrawn AND o.version IS NULL)
) AS days

-- name: onset_states_before
SELECT w.balance_group, o.day_start, o.state
FROM unnest(%(groups)s::int[], %(firsts)s::timestamptz[]) AS w (balance_group, first), LATERAL (
    SELECT day_start, state FROM imbalance.onset_days
    WHERE balance_group = w.balance_group AND day_start < w.first AND settings_hash = %(settings_hash)s
    ORDER BY day_start DESC
    LIMIT 1
) AS o

-- name: watched_group_days
SELECT
    g.balance_group, g.version, g.day_start, g.coverage, g.supply, g.imbalance, g.u_estimate, g.u_pulse, g.u_clock,
    g.supply_pulse, g.hour_coverage, g.hour_imbalance, g.hour_tolerance
FROM unnest(%(groups)s::int[], %(firsts)s::timestamptz[]) AS w (balance_group, first)
JOIN imbalance.group_days g ON g.balance_group = w.balance_group AND g.day_start >= w.first AND NOT g.withdrawn
ORDER BY g.balance_group, g.day_start

-- name: forget_onset_days
DELETE FROM imbalance.onset_days o
USING unnest(%(groups)s::int[], %(firsts)s::timestamptz[]) AS w (balance_group, after)
WHERE o.balance_group = w.balance_group AND o.day_start > w.after

-- name: what_stands
-- Whether there is anything that what was found could take the place of, or withdraw.
SELECT
    w.balance_group,
    EXISTS (
        SELECT FROM imbalance.group_onsets o
        WHERE o.balance_group = w.balance_group AND o.alarmed_day > w.after AND NOT o.withdrawn
    ),
    EXISTS (
        SELECT FROM imbalance.group_hour_alarms a
        WHERE a.balance_group = w.balance_group AND a.start_at >= w.after_end - INTERVAL '1 hour' AND NOT a.withdrawn
    )
FROM unnest(%(groups)s::int[], %(firsts)s::timestamptz[], %(ends)s::timestamptz[])
    AS w (balance_group, after, after_end)

-- name: upsert_onsets
-- Real, as long as it is not published, stays real: only the last of its versions is rendered.
INSERT INTO imbalance.group_onsets AS t
SELECT
    %(group)s, n.alarmed_day, n.side, n.since_day, n.ended_day, n.size_per_day, n.size_per_hour, n.constant, n.slope,
    n.spread, n.days, false, NOT coalesce(n.last_day >= %(first_news)s::timestamptz, false), 1, %(algorithm_version)s,
    %(settings_hash)s, clock_timestamp()
FROM unnest(
    %(alarmed_days)s::timestamptz[], %(sides)s::smallint[], %(since_days)s::timestamptz[], %(ended_days)s::timestamptz[],
    %(sizes_per_day)s::bigint[], %(sizes_per_hour)s::bigint[], %(constants)s::bigint[], %(slopes)s::int[],
    %(spreads)s::int[], %(days)s::int[], %(last_days)s::timestamptz[]
) AS n (alarmed_day, side, since_day, ended_day, size_per_day, size_per_hour, constant, slope, spread, days, last_day)
ON CONFLICT (balance_group, alarmed_day) DO UPDATE SET
    side = excluded.side,
    since_day = excluded.since_day,
    ended_day = excluded.ended_day,
    size_per_day = excluded.size_per_day,
    size_per_hour = excluded.size_per_hour,
    baseline_constant = excluded.baseline_constant,
    baseline_slope_ppm = excluded.baseline_slope_ppm,
    baseline_spread_ppm = excluded.baseline_spread_ppm,
    baseline_days = excluded.baseline_days,
    withdrawn = false,
    is_recomputation = excluded.is_recomputation
        AND (t.is_recomputation OR NOT imbalance.is_unpublished('onset', t.balance_group, t.alarmed_day)),
    version = t.version + 1,
    algorithm_version = excluded.algorithm_version,
    settings_hash = excluded.settings_hash,
    changed_at = excluded.changed_at
WHERE t.algorithm_version <= excluded.algorithm_version AND (
    t.side, t.since_day, t.ended_day, t.size_per_day, t.size_per_hour, t.baseline_constant, t.baseline_slope_ppm,
    t.baseline_spread_ppm, t.baseline_days, t.withdrawn
) IS DISTINCT FROM (
    excluded.side, excluded.since_day, excluded.ended_day, excluded.size_per_day, excluded.size_per_hour,
    excluded.baseline_constant, excluded.baseline_slope_ppm, excluded.baseline_spread_ppm, excluded.baseline_days, false
)
RETURNING t.alarmed_day

-- name: withdraw_onsets
UPDATE imbalance.group_onsets AS t SET
    withdrawn = true,
    is_recomputation = NOT coalesce(t.alarmed_day >= %(first_news)s::timestamptz, false)
        AND (t.is_recomputation OR NOT imbalance.is_unpublished('onset', t.balance_group, t.alarmed_day)),
    version = t.version + 1,
    algorithm_version = %(algorithm_version)s,
    settings_hash = %(settings_hash)s,
    changed_at = clock_timestamp()
WHERE t.balance_group = %(group)s
    AND t.alarmed_day > %(after)s
    AND NOT t.alarmed_day = ANY (%(found)s)
    AND NOT t.withdrawn
    AND t.algorithm_version <= %(algorithm_version)s
RETURNING t.alarmed_day

-- name: upsert_hour_alarms
-- Real, as long as it is not published, stays real.
INSERT INTO imbalance.group_hour_alarms AS t
SELECT
    %(group)s, n.start_at, n.ended_at, n.hours, n.excess, false,
    NOT coalesce(n.last_hour >= %(first_news)s::timestamptz, false), 1, %(algorithm_version)s, %(settings_hash)s,
    clock_timestamp()
FROM unnest(
    %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(hours)s::int[], %(excesses)s::bigint[],
    %(last_hours)s::timestamptz[]
) AS n (start_at, ended_at, hours, excess, last_hour)
ON CONFLICT (balance_group, start_at) DO UPDATE SET
    ended_at = excluded.ended_at,
    hours_above = excluded.hours_above,
    excess_per_hour = excluded.excess_per_hour,
    withdrawn = false,
    is_recomputation = excluded.is_recomputation
        AND (t.is_recomputation OR NOT imbalance.is_unpublished('hour-alarm', t.balance_group, t.start_at)),
    version = t.version + 1,
    algorithm_version = excluded.algorithm_version,
    settings_hash = excluded.settings_hash,
    changed_at = excluded.changed_at
WHERE t.algorithm_version <= excluded.algorithm_version
    AND (t.ended_at, t.hours_above, t.excess_per_hour, t.withdrawn)
    IS DISTINCT FROM (excluded.ended_at, excluded.hours_above, excluded.excess_per_hour, false)
RETURNING t.start_at

-- name: withdraw_hour_alarms
-- An alarm is found with its second hour: one that began in the last hour before is judged again.
UPDATE imbalance.group_hour_alarms AS t SET
    withdrawn = true,
    is_recomputation = NOT coalesce(t.start_at + INTERVAL '1 hour' >= %(first_news)s::timestamptz, false)
        AND (t.is_recomputation OR NOT imbalance.is_unpublished('hour-alarm', t.balance_group, t.start_at)),
    version = t.version + 1,
    algorithm_version = %(algorithm_version)s,
    settings_hash = %(settings_hash)s,
    changed_at = clock_timestamp()
WHERE t.balance_group = %(group)s
    AND t.start_at >= %(after_end)s::timestamptz - INTERVAL '1 hour'
    AND NOT t.start_at = ANY (%(found)s)
    AND NOT t.withdrawn
    AND t.algorithm_version <= %(algorithm_version)s
RETURNING t.start_at

-- name: current_onsets
SELECT g.group_id, g.resource, o.*
FROM unnest(%(groups)s::int[], %(instants)s::timestamptz[]) AS k (balance_group, alarmed_day)
JOIN imbalance.group_onsets o USING (balance_group, alarmed_day)
JOIN imbalance.groups g USING (balance_group)

-- name: current_hour_alarms
SELECT g.group_id, g.resource, a.*
FROM unnest(%(groups)s::int[], %(instants)s::timestamptz[]) AS k (balance_group, start_at)
JOIN imbalance.group_hour_alarms a USING (balance_group, start_at)
JOIN imbalance.groups g USING (balance_group)
