-- name: groups_by_id
SELECT group_id, balance_group FROM imbalance.groups WHERE group_id = ANY (%(ids)s)

-- name: lock_onsets
-- One writer a group, also while two processes hold its partition during a rebalance. In the order of the groups.
SELECT pg_advisory_xact_lock(hashtext('imbalance.onset_days'), %(group)s)

-- name: onset_state_before
SELECT day_start, state FROM imbalance.onset_days
WHERE balance_group = %(group)s AND day_start < %(first)s AND settings_hash = %(settings_hash)s
ORDER BY day_start DESC
LIMIT 1

-- name: watched_group_days
SELECT
    day_start, coverage, supply, imbalance, u_estimate, u_pulse, u_clock, supply_pulse,
    hour_coverage, hour_imbalance, hour_tolerance
FROM imbalance.group_days
WHERE balance_group = %(group)s AND day_start >= %(first)s AND NOT withdrawn
ORDER BY day_start

-- name: forget_onset_days
DELETE FROM imbalance.onset_days WHERE balance_group = %(group)s AND day_start > %(after)s

-- name: upsert_onsets
INSERT INTO imbalance.group_onsets AS t
SELECT
    %(group)s, n.*, false, %(is_recomputation)s, 1, %(algorithm_version)s, %(settings_hash)s, clock_timestamp()
FROM unnest(
    %(alarmed_days)s::timestamptz[], %(sides)s::smallint[], %(since_days)s::timestamptz[], %(ended_days)s::timestamptz[],
    %(sizes_per_day)s::bigint[], %(sizes_per_hour)s::bigint[], %(constants)s::bigint[], %(slopes)s::int[],
    %(spreads)s::int[], %(days)s::int[]
) AS n
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
    is_recomputation = excluded.is_recomputation,
    version = t.version + 1,
    algorithm_version = excluded.algorithm_version,
    settings_hash = excluded.settings_hash,
    changed_at = excluded.changed_at
WHERE (
    t.side, t.since_day, t.ended_day, t.size_per_day, t.size_per_hour, t.baseline_constant, t.baseline_slope_ppm,
    t.baseline_spread_ppm, t.baseline_days, t.withdrawn
) IS DISTINCT FROM (
    excluded.side, excluded.since_day, excluded.ended_day, excluded.size_per_day, excluded.size_per_hour,
    excluded.baseline_constant, excluded.baseline_slope_ppm, excluded.baseline_spread_ppm, excluded.baseline_days, false
)
RETURNING t.alarmed_day

-- name: withdraw_onsets
UPDATE imbalance.group_onsets SET
    withdrawn = true, is_recomputation = %(is_recomputation)s, version = version + 1, changed_at = clock_timestamp()
WHERE balance_group = %(group)s AND alarmed_day > %(after)s AND NOT alarmed_day = ANY (%(found)s) AND NOT withdrawn
RETURNING alarmed_day

-- name: upsert_hour_alarms
INSERT INTO imbalance.group_hour_alarms AS t
SELECT
    %(group)s, n.*, false, %(is_recomputation)s, 1, %(algorithm_version)s, %(settings_hash)s, clock_timestamp()
FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[], %(hours)s::int[], %(excesses)s::bigint[]) AS n
ON CONFLICT (balance_group, start_at) DO UPDATE SET
    ended_at = excluded.ended_at,
    hours_above = excluded.hours_above,
    excess_per_hour = excluded.excess_per_hour,
    withdrawn = false,
    is_recomputation = excluded.is_recomputation,
    version = t.version + 1,
    algorithm_version = excluded.algorithm_version,
    settings_hash = excluded.settings_hash,
    changed_at = excluded.changed_at
WHERE (t.ended_at, t.hours_above, t.excess_per_hour, t.withdrawn)
    IS DISTINCT FROM (excluded.ended_at, excluded.hours_above, excluded.excess_per_hour, false)
RETURNING t.start_at

-- name: withdraw_hour_alarms
-- An alarm is found with its second hour: one that began in the last hour before is judged again.
UPDATE imbalance.group_hour_alarms SET
    withdrawn = true, is_recomputation = %(is_recomputation)s, version = version + 1, changed_at = clock_timestamp()
WHERE balance_group = %(group)s
    AND start_at >= %(after_end)s::timestamptz - INTERVAL '1 hour'
    AND NOT start_at = ANY (%(found)s)
    AND NOT withdrawn
RETURNING start_at

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
