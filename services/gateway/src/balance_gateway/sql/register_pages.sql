-- What the pages of the register show, over views alone. %(subtree)s is that of who asks: empty holds everything.

-- name: find_entities
-- Whole ids first, then what has all words. Modules have no path of their own: they lie where what they count
-- and what gathers them lies.
(
    SELECT s.kind, s.name, s.value, true AS whole FROM gateway.v_search s
    WHERE s.words @@ (%(whole)s::tsquery && %(place)s::tsquery) AND s.kind <> 'reading-edit'
    LIMIT %(most)s
)
UNION ALL
(
    SELECT s.kind, s.name, s.value, false FROM gateway.v_search s
    WHERE s.words @@ (%(asked)s::tsquery && %(place)s::tsquery) AND s.kind <> 'reading-edit'
    LIMIT %(most)s
)
UNION ALL
(
    SELECT s.kind, s.name, s.value, s.words @@ %(whole)s::tsquery FROM gateway.v_search s
    WHERE %(place)s <> '' AND s.words @@ (%(asked)s::tsquery && %(modules)s::tsquery)
        AND EXISTS (
            SELECT FROM gateway.v_links l JOIN gateway.v_search p ON p.kind = l.kind AND p.name = l.name
            WHERE l.to_kind = 'module' AND l.to_name = s.name AND p.words @@ %(place)s::tsquery
            UNION ALL
            SELECT FROM gateway.v_links l JOIN gateway.v_search c ON c.kind = l.to_kind AND c.name = l.to_name
            WHERE l.kind = 'module' AND l.name = s.name AND c.words @@ %(place)s::tsquery
        )
    LIMIT %(most)s
)

-- name: entity
SELECT kind, name, version, value, changed_at FROM gateway.v_entities WHERE kind = %(kind)s AND name = %(name)s

-- name: changes_of_entity
SELECT number, changed_at, kind, name, version, author, way, reason, restored, before, after
FROM gateway.v_changes
WHERE kind = %(kind)s AND name = %(name)s AND version < %(before)s
ORDER BY version DESC
LIMIT %(most)s

-- name: latest_changes
-- Of somebody with a subtree: those of things that were in it before and after. %(place)s is what the path begins
-- with as JSON.
SELECT number, changed_at, kind, name, version, author, way, reason, restored, before, after
FROM gateway.v_changes
WHERE number < %(before)s AND (
    %(place)s = '' OR starts_with(after->>'object_path', %(place)s)
    AND (before IS NULL OR starts_with(before->>'object_path', %(place)s))
)
ORDER BY number DESC
LIMIT %(most)s

-- name: change
SELECT number, changed_at, kind, name, version, author, way, reason, restored, before, after
FROM gateway.v_changes
WHERE number = %(number)s

-- name: entities_naming
-- Usage points that name a module, modules that name a concentrator.
SELECT e.name, e.value
FROM gateway.v_links l
JOIN gateway.v_entities e ON e.kind = l.kind AND e.name = l.name
WHERE l.kind = %(kind)s AND l.to_kind = %(to_kind)s AND l.to_name = %(name)s
ORDER BY e.name

-- name: groups_of_point
SELECT e.name, e.value->>'name' AS title
FROM gateway.v_links l
JOIN gateway.v_entities e ON e.kind = l.kind AND e.name = l.name
WHERE l.kind = 'balance-group' AND l.to_kind = 'usage-point' AND l.to_name = %(name)s AND e.value->>'state' = 'ACTIVE'
ORDER BY e.name

-- name: time_come
SELECT received_at, due_before FROM ingest.v_clock

-- name: module_as_heard
SELECT
    m.packet_mode, m.concentrator_id, m.heard_at, m.heard_by, m.silent_since, m.battery_type, m.battery_fitted_at,
    m.battery_forecast_end, m.battery_finding, m.observed_at, m.battery_mv, m.signal_dbm, m.firmware,
    m.told_packet_mode, m.clock_offset_s, m.relay_path
FROM ingest.v_modules m
WHERE m.module_id = %(name)s

-- name: module_states
SELECT observed_at, received_at, concentrator_id, battery_mv, signal_dbm, firmware, packet_mode, clock_offset_s, relay_path
FROM ingest.v_module_state_history
WHERE module_id = %(name)s AND observed_at >= %(since)s
ORDER BY observed_at DESC
LIMIT %(most)s

-- name: concentrator_as_heard
SELECT
    c.variant, c.sim_payer, c.session_plan, c.heard_at, c.silent_since, c.power, c.supply_mv, c.signal_dbm, c.backlog_packets,
    c.backlog_from_at, c.backlog_expected, c.modules, c.silent_modules, c.blind_usage_points, c.probably_unpaid,
    c.battery_forecast_end, c.battery_finding
FROM ingest.v_concentrators c
WHERE c.concentrator_id = %(name)s

-- name: modules_of_concentrator
-- Those that the register gives it and those that it heard last. Ingest's ids are of another collation.
SELECT
    n.module_id, coalesce(h.heard_at, s.observed_at) AS heard_at, h.concentrator_id AS heard_by, s.battery_mv, s.signal_dbm,
    s.relay_path, e.value->'settings' AS settings
FROM (
    SELECT l.name AS module_id FROM gateway.v_links l
    WHERE l.kind = 'module' AND l.to_kind = 'concentrator' AND l.to_name = %(name)s
    UNION
    SELECT h.module_id COLLATE "default" FROM ingest.v_heard h WHERE h.concentrator_id = %(name)s
) n
LEFT JOIN ingest.v_heard h ON h.module_id = n.module_id COLLATE "C"
LEFT JOIN ingest.v_module_states s ON s.module_id = n.module_id COLLATE "C"
LEFT JOIN gateway.v_entities e ON e.kind = 'module' AND e.name = n.module_id AND e.value->>'state' = 'ACTIVE'
ORDER BY n.module_id

-- name: sessions
SELECT received_at, sent_at, power, supply_mv, signal_dbm, backlog_packets, backlog_from_at, modules, lane
FROM ingest.v_sessions
WHERE concentrator_id = %(name)s
ORDER BY received_at DESC
LIMIT %(most)s

-- name: deliveries_of_point
SELECT module_id, channel, day_start, packet_mode, expected_hours, received_hours, status
FROM ingest.v_deliveries
WHERE usage_point_id = %(name)s AND day_start >= %(since)s
ORDER BY day_start DESC, module_id, channel

-- name: deliveries_of_module
SELECT usage_point_id, channel, day_start, packet_mode, expected_hours, received_hours, status
FROM ingest.v_deliveries
WHERE module_id = %(name)s AND day_start >= %(since)s
ORDER BY day_start DESC, channel

-- name: latest_register
SELECT module_id, channel, read_at, register
FROM ingest.v_registers
WHERE module_id = %(module)s AND channel = %(channel)s AND day_start >= %(since)s
ORDER BY read_at DESC
LIMIT 1

-- name: findings_of_point
SELECT rule, severity, interval_start_at, interval_end_at, expected, found, message, changed_at
FROM ingest.v_findings
WHERE usage_point_id = %(name)s AND state = 'OPEN'
ORDER BY interval_end_at DESC
LIMIT %(most)s

-- name: findings_of_module
SELECT rule, severity, usage_point_id, interval_start_at, interval_end_at, expected, found, message, changed_at
FROM ingest.v_findings
WHERE module_id = %(name)s AND state = 'OPEN'
ORDER BY interval_end_at DESC
LIMIT %(most)s

-- name: findings_of_concentrator
SELECT rule, severity, interval_start_at, interval_end_at, expected, found, message, changed_at
FROM ingest.v_findings
WHERE concentrator_id = %(name)s AND state = 'OPEN'
ORDER BY interval_end_at DESC
LIMIT %(most)s

-- name: parked
-- Channels that nobody registered, with the place of the concentrator that heard them last.
SELECT p.module_id, p.channel, p.first_at, p.last_at, s.concentrator_id, c.value->'object_path' AS object_path
FROM ingest.v_parked p
LEFT JOIN ingest.v_heard s ON s.module_id = p.module_id COLLATE "C"
LEFT JOIN gateway.v_entities c ON c.kind = 'concentrator' AND c.name = s.concentrator_id COLLATE "default"
WHERE p.module_id >= %(from_module)s
ORDER BY p.module_id, p.channel
LIMIT %(most)s

-- name: parked_channel
SELECT p.module_id, p.channel, p.first_at, p.last_at, s.concentrator_id, c.value->'object_path' AS object_path
FROM ingest.v_parked p
LEFT JOIN ingest.v_heard s ON s.module_id = p.module_id COLLATE "C"
LEFT JOIN gateway.v_entities c ON c.kind = 'concentrator' AND c.name = s.concentrator_id COLLATE "default"
WHERE p.module_id = %(module)s AND p.channel = %(channel)s
