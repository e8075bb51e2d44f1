-- Statements of this service. psycopg's placeholders; a percent sign is doubled. Instants are seconds since 1970.
-- ASSETS lock: shared by whoever computes readings, exclusive for whoever changes histories or what is due.

-- name: lock_assets_shared
SELECT pg_advisory_xact_lock_shared(hashtext('ingest.assets'))

-- name: lock_assets_exclusive
SELECT pg_advisory_xact_lock(hashtext('ingest.assets'))

-- name: create_channels
INSERT INTO ingest.channels (module_id, channel)
SELECT g.module_id, g.channel FROM unnest(%(modules)s::text[], %(numbers)s::smallint[]) AS g (module_id, channel)
WHERE NOT EXISTS (
    SELECT FROM ingest.channels c WHERE c.module_id = g.module_id AND c.channel = g.channel
)
ORDER BY g.module_id, g.channel
ON CONFLICT (module_id, channel) DO NOTHING
RETURNING channel_id, channel

-- name: numbers_of_channels
SELECT c.module_id, c.channel, c.channel_id
FROM unnest(%(modules)s::text[], %(numbers)s::smallint[]) AS g (module_id, channel)
JOIN ingest.channels c ON c.module_id = g.module_id AND c.channel = g.channel

-- name: keys_of_channels
SELECT channel_id, module_id, channel FROM ingest.channels WHERE channel_id = ANY (%(channels)s::int[])

-- name: hold_channels
SELECT
    channel_id,
    extract(epoch FROM evidence_from)::bigint,
    extract(epoch FROM evidence_until)::bigint,
    doubted
FROM ingest.channels
WHERE channel_id = ANY (%(channels)s::int[])
ORDER BY channel_id
FOR NO KEY UPDATE

-- name: widen_channels
UPDATE ingest.channels c
SET
    evidence_from = least(c.evidence_from, to_timestamp(g.from_s)),
    evidence_until = greatest(c.evidence_until, to_timestamp(g.until_s))
FROM unnest(%(channels)s::int[], %(from)s::bigint[], %(until)s::bigint[]) AS g (channel_id, from_s, until_s)
WHERE c.channel_id = g.channel_id

-- name: spans_of_channels
SELECT
    c.channel_id,
    extract(epoch FROM c.evidence_from)::bigint,
    extract(epoch FROM c.evidence_until)::bigint,
    (
        SELECT coalesce(max(p.allowance_days), 0) FROM ingest.packet_plans p
        WHERE p.module_id = c.module_id COLLATE "C" AND p.allowance_days > 0
    )
FROM ingest.channels c
WHERE c.channel_id = ANY (%(channels)s::int[]) AND c.evidence_from IS NOT NULL

-- name: usage_points_since
SELECT generation, usage_point FROM ingest.usage_points WHERE generation > %(generation)s ORDER BY generation

-- name: usage_points_of_channels
SELECT u.usage_point, u.usage_point_id, u.resource, u.meters, u.fittings, r.related, u.sensor_kind, to_jsonb(k), r.beside, e.edits
FROM ingest.usage_points u
LEFT JOIN ingest.sensor_kinds k ON k.code = CASE u.resource WHEN 6 THEN coalesce(u.sensor_kind, '01') WHEN 7 THEN u.sensor_kind END
JOIN LATERAL (
    SELECT
        array_agg(c.channel_id ORDER BY c.channel_id) AS related,
        jsonb_agg(jsonb_build_array(c.module_id, c.channel, c.channel_id)) FILTER (WHERE c.channel >= 16) AS beside
    FROM ingest.related_channels rc
    JOIN ingest.channels c USING (channel_id)
    WHERE rc.usage_point = u.usage_point
) r ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
        'edit_id', d.edit_id, 'version', d.version, 'start', extract(epoch FROM d.start_at)::bigint,
        'end', extract(epoch FROM d.end_at)::bigint, 'decided', extract(epoch FROM d.decided_at)::bigint,
        'values', d."values", 'of_conflict', d.of_conflict, 'reason', d.reason, 'decided_by', d.decided_by
    )) AS edits
    FROM ingest.reading_edits d WHERE d.usage_point_id = u.usage_point_id AND d.newest AND d.standing
) e ON true
WHERE u.usage_point IN (
    SELECT usage_point FROM ingest.related_channels WHERE channel_id = ANY (%(channels)s::int[])
)

-- name: evidence
SELECT
    channel_id, extract(epoch FROM day_start)::bigint, step_s, "values", revision, revisions, conflicts,
    register_start, register_start_revision, register_start_conflict,
    register_end, register_end_revision, register_end_conflict,
    offsets_s, registers, register_conflicts
FROM ingest.evidence_days
WHERE day_start = ANY (%(days)s) AND channel_id = ANY (%(channels)s::int[])

-- name: ends_of_day
SELECT channel_id, register_end
FROM ingest.evidence_days
WHERE day_start = %(day)s AND channel_id = ANY (%(channels)s::int[])
    AND register_end IS NOT NULL AND register_end_conflict IS NULL
ORDER BY register_end_revision

-- name: starts_of_day
SELECT channel_id, register_start
FROM ingest.evidence_days
WHERE day_start = %(day)s AND channel_id = ANY (%(channels)s::int[])
    AND register_start IS NOT NULL AND register_start_conflict IS NULL
ORDER BY register_start_revision

-- name: point_days
(
    SELECT extract(epoch FROM day_start)::bigint AS day FROM ingest.evidence_days
    WHERE channel_id = %(channel)s AND step_s = 0 AND day_start < %(before)s
    ORDER BY day_start DESC LIMIT 2
) UNION ALL (
    SELECT extract(epoch FROM day_start)::bigint FROM ingest.evidence_days
    WHERE channel_id = %(channel)s AND step_s = 0 AND day_start >= %(after)s
    ORDER BY day_start LIMIT 2
) ORDER BY day

-- name: channels_with_points
SELECT DISTINCT channel_id FROM ingest.evidence_days
WHERE step_s = 0 AND channel_id = ANY (%(channels)s::int[]) AND day_start BETWEEN %(first)s AND %(last)s

-- name: registers_between
SELECT
    channel_id,
    extract(epoch FROM min(day_start))::bigint,
    extract(epoch FROM max(day_start))::bigint
FROM ingest.evidence_days
WHERE day_start = ANY (%(days)s) AND channel_id = ANY (%(channels)s::int[])
    AND (register_start IS NOT NULL OR register_end IS NOT NULL OR step_s = 0)
GROUP BY channel_id

-- name: estimated_days
SELECT usage_point, extract(epoch FROM day_start)::bigint FROM ingest.estimated_days
WHERE usage_point = ANY (%(points)s::int[]) AND day_start BETWEEN %(first)s AND %(last)s

-- name: forget_estimated_days
DELETE FROM ingest.estimated_days e
USING unnest(%(points)s::int[], %(firsts)s::bigint[], %(lasts)s::bigint[]) AS g (usage_point, first_s, last_s)
WHERE e.usage_point = g.usage_point
    AND e.day_start BETWEEN to_timestamp(g.first_s) AND to_timestamp(g.last_s)

-- name: keep_estimated_days
INSERT INTO ingest.estimated_days (usage_point, day_start)
SELECT usage_point, to_timestamp(day_s)
FROM unnest(%(points)s::int[], %(days)s::bigint[]) AS g (usage_point, day_s)
ON CONFLICT DO NOTHING

-- name: heard
SELECT DISTINCT channel_id, extract(epoch FROM day_start)::bigint FROM ingest.evidence_days
WHERE day_start = ANY (%(days)s) AND channel_id = ANY (%(channels)s::int[])

-- name: make_incoming_evidence
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_evidence (
    channel_id int, day_start bigint, step_s int, "values" int[], revision bigint, revisions bigint[], conflicts int[],
    register_start bigint DEFAULT -1, register_start_revision bigint DEFAULT -1, register_start_conflict bigint DEFAULT -1,
    register_end bigint DEFAULT -1, register_end_revision bigint DEFAULT -1, register_end_conflict bigint DEFAULT -1,
    offsets_s int[], registers bigint[], register_conflicts bigint[]
) ON COMMIT DELETE ROWS

-- name: upsert_evidence
INSERT INTO ingest.evidence_days AS t
SELECT
    channel_id, to_timestamp(day_start), step_s, "values", nullif(revision, -1), revisions, conflicts,
    nullif(register_start, -1), nullif(register_start_revision, -1), nullif(register_start_conflict, -1),
    nullif(register_end, -1), nullif(register_end_revision, -1), nullif(register_end_conflict, -1),
    offsets_s, registers, register_conflicts
FROM incoming_evidence
ORDER BY day_start, channel_id, step_s
ON CONFLICT (day_start, channel_id, step_s) DO UPDATE SET
    "values" = EXCLUDED."values",
    revision = EXCLUDED.revision,
    revisions = EXCLUDED.revisions,
    conflicts = EXCLUDED.conflicts,
    register_start = EXCLUDED.register_start,
    register_start_revision = EXCLUDED.register_start_revision,
    register_start_conflict = EXCLUDED.register_start_conflict,
    register_end = EXCLUDED.register_end,
    register_end_revision = EXCLUDED.register_end_revision,
    register_end_conflict = EXCLUDED.register_end_conflict,
    offsets_s = EXCLUDED.offsets_s,
    registers = EXCLUDED.registers,
    register_conflicts = EXCLUDED.register_conflicts

-- name: reading_days
SELECT usage_point, extract(epoch FROM day_start)::bigint FROM ingest.reading_days
WHERE day_start = ANY (%(days)s) AND usage_point = ANY (%(points)s::int[])
    AND (qualities IS NULL OR NOT 5 = ALL (qualities))

-- name: make_incoming_readings
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_readings (
    usage_point int, day_start bigint, resource int, "values" bigint[], qualities smallint[], greatest bigint,
    minima bigint[], maxima bigint[], sensor_kind text
) ON COMMIT DELETE ROWS

-- name: upsert_readings
INSERT INTO ingest.reading_days AS t (
    usage_point, day_start, resource, algorithm_version, "values", qualities, greatest, minima, maxima, sensor_kind
)
SELECT
    usage_point, to_timestamp(day_start), resource, %(algorithm)s, "values", qualities, greatest, minima, maxima, sensor_kind
FROM incoming_readings
ORDER BY day_start, usage_point
ON CONFLICT (day_start, usage_point) DO UPDATE SET
    version = t.version + 1,
    resource = EXCLUDED.resource,
    algorithm_version = EXCLUDED.algorithm_version,
    "values" = EXCLUDED."values",
    qualities = EXCLUDED.qualities,
    greatest = EXCLUDED.greatest,
    minima = EXCLUDED.minima,
    maxima = EXCLUDED.maxima,
    sensor_kind = EXCLUDED.sensor_kind
WHERE t.algorithm_version <= EXCLUDED.algorithm_version
    AND (t."values", t.qualities, t.resource, t.minima, t.maxima, t.sensor_kind)
    IS DISTINCT FROM
    (EXCLUDED."values", EXCLUDED.qualities, EXCLUDED.resource, EXCLUDED.minima, EXCLUDED.maxima, EXCLUDED.sensor_kind)
RETURNING usage_point, extract(epoch FROM day_start)::bigint

-- name: open_findings
SELECT
    usage_point, finding_id, rule,
    extract(epoch FROM interval_start)::bigint,
    extract(epoch FROM interval_end)::bigint
FROM ingest.findings
WHERE open AND usage_point = ANY (%(points)s::int[])
    AND interval_end >= %(start)s AND interval_start <= %(end)s
    AND rule <> ALL (ARRAY['vee.zero', 'vee.stuck', 'vee.above_usual', 'vee.spike'])

-- name: upsert_findings
INSERT INTO ingest.findings AS t (
    finding_id, rule, severity, usage_point, channel_id, usage_point_id, module_id, channel, concentrator_id,
    interval_start, interval_end, expected, found, message, sequence, element
)
SELECT DISTINCT ON (finding_id)
    finding_id, rule, severity, usage_point, channel_id, usage_point_id, module_id, channel, concentrator_id,
    to_timestamp(start_s), to_timestamp(end_s), expected, found, message, sequence, element
FROM jsonb_to_recordset(%(findings)s) AS g (
    finding_id text, rule text, severity smallint, usage_point int, channel_id int, usage_point_id text, module_id text,
    channel int, concentrator_id text, start_s bigint, end_s bigint, expected text, found text, message text,
    sequence bigint, element jsonb
)
ORDER BY finding_id, sequence DESC, end_s DESC, element DESC
ON CONFLICT (finding_id) DO UPDATE SET
    version = t.version + 1,
    open = true,
    severity = EXCLUDED.severity,
    interval_end = EXCLUDED.interval_end,
    interval_start = EXCLUDED.interval_start,
    expected = EXCLUDED.expected,
    found = EXCLUDED.found,
    message = EXCLUDED.message,
    sequence = EXCLUDED.sequence,
    element = EXCLUDED.element,
    changed_at = now()
WHERE
    CASE
        WHEN t.sequence IS NOT NULL THEN
            (EXCLUDED.sequence, EXCLUDED.interval_end, EXCLUDED.element) > (t.sequence, t.interval_end, t.element)
        ELSE NOT t.open
            OR (t.severity, t.interval_start, t.interval_end, t.expected, t.found, t.message)
            IS DISTINCT FROM
            (EXCLUDED.severity, EXCLUDED.interval_start, EXCLUDED.interval_end, EXCLUDED.expected, EXCLUDED.found, EXCLUDED.message)
    END
RETURNING finding_id

-- name: withdraw_findings
UPDATE ingest.findings SET open = false, version = version + 1, changed_at = now()
WHERE open AND finding_id = ANY (%(ids)s)
RETURNING finding_id

-- name: parked
SELECT
    channel_id,
    extract(epoch FROM interval_start)::bigint,
    extract(epoch FROM interval_end)::bigint
FROM ingest.findings
WHERE open AND usage_point IS NULL AND rule = 'vee.unknown_channel' AND channel_id = ANY (%(channels)s::int[])

-- name: span_of_evidence
SELECT
    extract(epoch FROM min(e.day_start))::bigint,
    extract(epoch FROM max(e.day_start))::bigint
FROM ingest.channels c
JOIN ingest.evidence_days e ON e.channel_id = c.channel_id
WHERE c.channel_id = %(channel)s AND e.day_start = ANY (%(days)s)

-- name: clock
SELECT received_at, due_before FROM ingest.clock

-- name: hear
-- Gives the clock as it was when this put it forward.
UPDATE ingest.clock c SET received_at = %(received)s
FROM (SELECT received_at FROM ingest.clock) AS was
WHERE c.received_at < %(received)s
RETURNING was.received_at

-- name: fall_due
UPDATE ingest.clock SET due_before = %(due)s

-- name: first_evidence
SELECT extract(epoch FROM min(evidence_from))::bigint FROM ingest.channels

-- name: silent_channels
SELECT DISTINCT e.channel_id FROM ingest.evidence_days e
WHERE e.day_start = ANY (%(week)s)
    AND EXISTS (SELECT FROM ingest.related_channels r WHERE r.channel_id = e.channel_id)
    AND NOT EXISTS (
        SELECT FROM ingest.evidence_days n WHERE n.day_start = %(day)s AND n.channel_id = e.channel_id
    )

-- name: lock_usage_points
SELECT usage_point, usage_point_id, version, resource, meters, fittings, sensor_kind FROM ingest.usage_points
WHERE usage_point_id = ANY (%(ids)s)

-- name: upsert_usage_point
INSERT INTO ingest.usage_points AS t (usage_point_id, version, resource, meters, fittings, sensor_kind)
VALUES (%(id)s, %(version)s, %(resource)s, %(meters)s, %(fittings)s, %(sensor_kind)s)
ON CONFLICT (usage_point_id) DO UPDATE SET
    version = EXCLUDED.version,
    resource = EXCLUDED.resource,
    meters = EXCLUDED.meters,
    fittings = EXCLUDED.fittings,
    sensor_kind = EXCLUDED.sensor_kind,
    generation = nextval('ingest.asset_generations')
RETURNING usage_point

-- name: relate_channels
INSERT INTO ingest.related_channels (channel_id, usage_point)
SELECT channel_id, %(point)s FROM unnest(%(channels)s::int[]) AS g (channel_id)
ON CONFLICT DO NOTHING

-- name: relate_extremes
-- Channels of minima and maxima go with the channel of their averages.
INSERT INTO ingest.related_channels (channel_id, usage_point)
SELECT s.channel_id, r.usage_point
FROM ingest.channels s
JOIN ingest.channels c ON c.module_id = s.module_id AND c.channel = s.channel %% 16
JOIN ingest.related_channels r ON r.channel_id = c.channel_id
WHERE s.channel >= 16 AND s.channel_id = ANY (%(channels)s::int[])
ON CONFLICT DO NOTHING
RETURNING usage_point

-- name: relate_extremes_of_points
INSERT INTO ingest.related_channels (channel_id, usage_point)
SELECT s.channel_id, r.usage_point
FROM ingest.related_channels r
JOIN ingest.channels c ON c.channel_id = r.channel_id AND c.channel BETWEEN 0 AND 15
JOIN ingest.channels s ON s.module_id = c.module_id AND s.channel IN (c.channel + 16, c.channel + 32)
WHERE r.usage_point = ANY (%(points)s::int[])
ON CONFLICT DO NOTHING

-- name: renew_usage_points
UPDATE ingest.usage_points SET generation = nextval('ingest.asset_generations')
WHERE usage_point = ANY (%(points)s::int[])

-- name: newest_edit
SELECT
    version, standing, usage_point_id, extract(epoch FROM start_at)::bigint, extract(epoch FROM end_at)::bigint
FROM ingest.reading_edits WHERE edit_id = %(id)s AND newest

-- name: outdate_edit
UPDATE ingest.reading_edits SET newest = false WHERE edit_id = %(id)s AND newest

-- name: keep_edit
INSERT INTO ingest.reading_edits (
    edit_id, version, newest, standing, usage_point_id, start_at, end_at, "values", of_conflict, reason, decided_by,
    decided_at
) VALUES (
    %(id)s, %(version)s, %(newest)s, %(standing)s, %(usage_point)s, %(start)s, %(end)s, %(values)s, %(of_conflict)s,
    %(reason)s, %(decided_by)s, %(decided)s
) ON CONFLICT DO NOTHING

-- name: standing_edits
SELECT usage_point_id, extract(epoch FROM start_at)::bigint, extract(epoch FROM end_at)::bigint
FROM ingest.reading_edits WHERE usage_point_id = ANY (%(names)s) AND newest AND standing

-- name: relate_decisions
-- Gives the channel that stands for the decisions about a usage point, when there are any and the register knows it.
WITH asked AS (
    SELECT c.channel_id, u.usage_point
    FROM ingest.channels c JOIN ingest.usage_points u ON u.usage_point_id = c.module_id
    WHERE c.module_id = %(name)s AND c.channel = -1
), related AS (
    INSERT INTO ingest.related_channels (channel_id, usage_point) SELECT channel_id, usage_point FROM asked
    ON CONFLICT DO NOTHING
), renewed AS (
    UPDATE ingest.usage_points u SET generation = nextval('ingest.asset_generations')
    FROM asked WHERE u.usage_point = asked.usage_point
)
SELECT channel_id FROM asked

-- name: sensor_kinds
SELECT to_jsonb(k) FROM ingest.sensor_kinds k

-- name: forget_sensor_kinds
DELETE FROM ingest.sensor_kinds

-- name: keep_sensor_kinds
INSERT INTO ingest.sensor_kinds
SELECT * FROM jsonb_populate_recordset(NULL::ingest.sensor_kinds, %(kinds)s)

-- name: usage_points_of_kinds
SELECT usage_point, usage_point_id, resource, meters, fittings, NULL, sensor_kind FROM ingest.usage_points
WHERE CASE resource WHEN 6 THEN coalesce(sensor_kind, '01') WHEN 7 THEN sensor_kind END = ANY (%(codes)s)

-- name: findings_of_kinds
SELECT finding_id FROM ingest.findings
WHERE open AND rule = 'vee.unknown_sensor_kind' AND usage_point_id = ANY (%(names)s)

-- name: current_plain_readings
-- Meters with all hours VALID; current_readings has the others. 5: the last resource that is no sensor's.
SELECT
    algorithm_version, cardinality("values"),
    array_agg(usage_point), array_agg(resource), array_agg(version), array_agg("values")
FROM ingest.reading_days
WHERE day_start = %(day)s AND usage_point = ANY (%(points)s::int[]) AND qualities IS NULL AND resource <= 5
GROUP BY algorithm_version, cardinality("values")

-- name: names_of_usage_points
SELECT usage_point, usage_point_id FROM ingest.usage_points WHERE usage_point = ANY (%(points)s::int[])

-- name: current_readings
SELECT
    u.usage_point_id, r.resource, extract(epoch FROM r.day_start)::bigint, r.version, r."values", r.qualities,
    r.minima, r.maxima, r.sensor_kind, r.algorithm_version
FROM ingest.reading_days r
JOIN ingest.usage_points u USING (usage_point)
WHERE r.day_start = %(day)s AND r.usage_point = ANY (%(points)s::int[])
    AND NOT (r.qualities IS NULL AND r.resource <= 5)
ORDER BY r.usage_point

-- name: current_findings
SELECT
    finding_id, version, open, rule, severity, usage_point_id, module_id, channel, concentrator_id,
    interval_start, interval_end, expected, found, message, changed_at
FROM ingest.findings WHERE finding_id = ANY (%(ids)s)

-- name: note_changes
INSERT INTO ingest.reading_changes (usage_points, days) VALUES (%(points)s::int[], %(days)s)

-- name: note_described
-- A usage point's meters changed: what is unusual about its readings may be another thing.
INSERT INTO ingest.reading_changes (usage_points, days)
SELECT array_agg(usage_point), array_agg(extract(epoch FROM day_start)::bigint)
FROM ingest.reading_days WHERE usage_point = %(point)s AND day_start = ANY (%(days)s)
HAVING count(*) > 0

-- name: take_changes
-- The oldest of them, when none came for a while or the oldest waited long.
DELETE FROM ingest.reading_changes WHERE id IN (
    SELECT id FROM ingest.reading_changes WHERE (
        SELECT max(noted_at) < clock_timestamp() - INTERVAL '5 s' OR min(noted_at) < clock_timestamp() - INTERVAL '60 s'
        FROM ingest.reading_changes
    )
    ORDER BY id LIMIT 1
)
RETURNING usage_points, days

-- name: only_one_judges
SELECT pg_try_advisory_xact_lock(hashtext('ingest.reading_changes'))

-- name: usage_points_by_key
SELECT usage_point, usage_point_id, resource, meters, fittings, NULL FROM ingest.usage_points
WHERE usage_point = ANY (%(points)s::int[])

-- name: newest_reading_day
SELECT extract(epoch FROM max(day_start))::bigint FROM ingest.reading_days

-- name: later_reading_days
SELECT usage_point, extract(epoch FROM day_start)::bigint FROM ingest.reading_days
WHERE day_start = ANY (%(days)s) AND usage_point = ANY (%(points)s::int[])

-- name: later_spikes
SELECT usage_point, extract(epoch FROM day_start)::bigint FROM ingest.reading_days
WHERE day_start = ANY (%(days)s) AND usage_point = ANY (%(points)s::int[])
    AND (greatest IS NULL OR greatest > %(flow)s)

-- name: hours_of_day
SELECT usage_point, "values", qualities FROM ingest.reading_days
WHERE day_start = %(day)s AND usage_point = ANY (%(points)s::int[])
    AND (qualities IS NULL OR NOT 5 = ALL (qualities))

-- name: last_hours_of_day
SELECT usage_point, "values"[array_upper("values", 1)] FROM ingest.reading_days
WHERE day_start = %(day)s AND usage_point = ANY (%(points)s::int[])

-- name: without_consumption
SELECT usage_point FROM ingest.reading_days
WHERE day_start = %(day)s AND usage_point = ANY (%(points)s::int[]) AND greatest = 0

-- name: usual_of_days
SELECT usage_point, max(greatest) FROM ingest.reading_days
WHERE day_start = ANY (%(days)s) AND usage_point = ANY (%(points)s::int[]) AND greatest > 0
GROUP BY usage_point

-- name: hours_of_days
SELECT usage_point, extract(epoch FROM day_start)::bigint, "values", qualities FROM ingest.reading_days
WHERE day_start = ANY (%(days)s) AND usage_point = ANY (%(points)s::int[])
    AND (qualities IS NULL OR NOT 5 = ALL (qualities))

-- name: open_unusual
SELECT usage_point, finding_id, rule, extract(epoch FROM interval_start)::bigint, extract(epoch FROM interval_end)::bigint
FROM ingest.findings
WHERE open AND usage_point = ANY (%(points)s::int[]) AND rule = ANY (%(rules)s)

-- name: create_edge_counters
INSERT INTO ingest.edge_counters (concentrator_id)
SELECT g.concentrator_id FROM unnest(%(concentrators)s::text[]) AS g (concentrator_id)
WHERE NOT EXISTS (SELECT FROM ingest.edge_counters c WHERE c.concentrator_id = g.concentrator_id)
ORDER BY g.concentrator_id
ON CONFLICT (concentrator_id) DO NOTHING

-- name: hold_edge_counters
SELECT concentrator_id, epoch, highest, highest_before FROM ingest.edge_counters
WHERE concentrator_id = ANY (%(concentrators)s::text[])
ORDER BY concentrator_id
FOR UPDATE

-- name: edge_packets_like
WITH asked AS (
    SELECT * FROM unnest(
        %(concentrators)s::text[], %(packets)s::text[], %(fingerprints)s::bigint[], %(counters)s::bigint[]
    ) AS g (concentrator_id, packet_id, fingerprint, counter)
)
SELECT p.concentrator_id, p.packet_id, p.fingerprint, p.epoch, p.counter
FROM asked JOIN ingest.edge_packets p USING (concentrator_id, packet_id, fingerprint)
UNION
SELECT p.concentrator_id, p.packet_id, p.fingerprint, p.epoch, p.counter
FROM asked JOIN ingest.edge_packets p USING (concentrator_id, counter)

-- name: keep_edge_counters
UPDATE ingest.edge_counters c
SET epoch = g.epoch, highest = g.highest, highest_before = g.highest_before
FROM unnest(
    %(concentrators)s::text[], %(epochs)s::int[], %(highest)s::bigint[], %(before)s::bigint[]
) AS g (concentrator_id, epoch, highest, highest_before)
WHERE c.concentrator_id = g.concentrator_id

-- name: keep_edge_packets
INSERT INTO ingest.edge_packets (concentrator_id, packet_id, fingerprint, epoch, counter)
SELECT * FROM unnest(
    %(concentrators)s::text[], %(packets)s::text[], %(fingerprints)s::bigint[], %(epochs)s::int[], %(counters)s::bigint[]
)

-- name: forget_edge_packets
DELETE FROM ingest.edge_packets
WHERE concentrator_id = ANY (%(concentrators)s::text[]) AND numbered_at < now() - interval '35 days'

-- name: allowances
SELECT c.channel_id, p.valid_from, p.valid_until, p.allowance_days
FROM ingest.channels c
JOIN ingest.packet_plans p ON p.module_id = c.module_id
WHERE c.channel_id = ANY (%(channels)s::int[]) AND p.allowance_days > 0

-- name: lock_channel_numbers_shared
-- Nobody numbers channels meanwhile: whoever asks for all channels of a module is told all.
SELECT pg_advisory_xact_lock_shared(hashtext('ingest.channels'))

-- name: lock_channel_numbers_exclusive
SELECT pg_advisory_xact_lock(hashtext('ingest.channels'))

-- name: numbers_of_modules
SELECT module_id, channel, channel_id FROM ingest.channels WHERE module_id = ANY (%(modules)s::text[])

-- name: doubt_new_channels
UPDATE ingest.channels c SET doubted = true
WHERE NOT c.doubted AND c.module_id = ANY (%(modules)s::text[]) AND (
    EXISTS (
        SELECT FROM ingest.module_events e
        WHERE e.module_id = c.module_id AND e.kind IN ('SHORT_CIRCUIT', 'OPEN_CIRCUIT', 'NO_SENSOR', 'MAGNET')
    ) OR EXISTS (SELECT FROM ingest.odd_clocks o WHERE o.module_id = c.module_id)
)

-- name: doubt_channels
UPDATE ingest.channels SET doubted = true WHERE NOT doubted AND module_id = ANY (%(modules)s::text[])

-- name: make_incoming_telemetry
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_events (
    event_id uuid, module_id text, channel smallint, kind text, phase text, occurred_s bigint, value bigint,
    command_id text, concentrator_id text, received_s bigint
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_states (
    module_id text, observed_s bigint, received_s bigint, sequence bigint, clock_s bigint, clock_offset_s bigint,
    battery_mv smallint, signal_dbm smallint, concentrator_id text, packet_mode text, firmware text, relay_path text[]
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_sessions (
    concentrator_id text, packet_id text, received_s bigint, sequence bigint, sent_s bigint, clock_offset_s bigint,
    backlog_from_s bigint, supply_mv int, backlog_packets int, modules int, signal_dbm smallint, lane smallint, power text
) ON COMMIT DELETE ROWS

-- name: upsert_events
-- Gives those that are new; one that was received earlier than it seemed is no news.
WITH told AS (
    INSERT INTO ingest.module_events AS t (
        event_id, module_id, channel, kind, phase, occurred_at, value, command_id, concentrator_id, received_at
    )
    SELECT
        event_id, module_id, channel, kind, phase, to_timestamp(occurred_s), value, command_id, concentrator_id,
        to_timestamp(received_s)
    FROM incoming_events ORDER BY event_id
    ON CONFLICT (event_id) DO UPDATE SET received_at = EXCLUDED.received_at, concentrator_id = EXCLUDED.concentrator_id
    WHERE (EXCLUDED.received_at, EXCLUDED.concentrator_id) < (t.received_at, t.concentrator_id)
    RETURNING event_id, xmax = 0 AS is_new
)
SELECT event_id FROM told WHERE is_new

-- name: upsert_states
-- Gives the rows that changed: (module, observed, what its clock showed, offset).
INSERT INTO ingest.module_states AS t (
    module_id, observed_at, received_at, sequence, module_clock_at, clock_offset_s, battery_mv, signal_dbm,
    concentrator_id, packet_mode, firmware, relay_path
)
SELECT
    module_id, to_timestamp(observed_s), to_timestamp(received_s), sequence, to_timestamp(clock_s), clock_offset_s,
    battery_mv, signal_dbm, concentrator_id, packet_mode, firmware, relay_path
FROM incoming_states ORDER BY module_id, observed_s
ON CONFLICT (module_id, observed_at) DO UPDATE SET
    received_at = EXCLUDED.received_at,
    sequence = EXCLUDED.sequence,
    module_clock_at = EXCLUDED.module_clock_at,
    clock_offset_s = EXCLUDED.clock_offset_s,
    battery_mv = EXCLUDED.battery_mv,
    signal_dbm = EXCLUDED.signal_dbm,
    concentrator_id = EXCLUDED.concentrator_id,
    packet_mode = EXCLUDED.packet_mode,
    firmware = EXCLUDED.firmware,
    relay_path = EXCLUDED.relay_path
WHERE (
    EXCLUDED.sequence,
    coalesce(EXCLUDED.module_clock_at, '-infinity'), coalesce(EXCLUDED.battery_mv, -1),
    coalesce(EXCLUDED.signal_dbm, -1000), EXCLUDED.firmware IS NOT NULL, coalesce(EXCLUDED.firmware, ''),
    EXCLUDED.packet_mode, coalesce(EXCLUDED.relay_path, '{}'), coalesce(EXCLUDED.clock_offset_s, 0),
    t.received_at, EXCLUDED.concentrator_id
) > (
    t.sequence,
    coalesce(t.module_clock_at, '-infinity'), coalesce(t.battery_mv, -1),
    coalesce(t.signal_dbm, -1000), t.firmware IS NOT NULL, coalesce(t.firmware, ''),
    t.packet_mode, coalesce(t.relay_path, '{}'), coalesce(t.clock_offset_s, 0),
    EXCLUDED.received_at, t.concentrator_id
)
RETURNING
    module_id, extract(epoch FROM observed_at)::bigint, extract(epoch FROM module_clock_at)::bigint, clock_offset_s

-- name: upsert_latest_states
-- Rows of module_states just written, each the one that counts of its instant.
INSERT INTO ingest.latest_module_states AS t (
    module_id, observed_at, received_at, sequence, module_clock_at, clock_offset_s, battery_mv, signal_dbm,
    concentrator_id, packet_mode, firmware, relay_path
)
SELECT
    s.module_id, s.observed_at, s.received_at, s.sequence, s.module_clock_at, s.clock_offset_s, s.battery_mv,
    s.signal_dbm, s.concentrator_id, s.packet_mode, s.firmware, s.relay_path
FROM unnest(%(modules)s::text[], %(observed)s::bigint[]) AS g (module_id, observed_s)
JOIN ingest.module_states s ON s.module_id = g.module_id AND s.observed_at = to_timestamp(g.observed_s)
WHERE s.observed_at BETWEEN to_timestamp(%(first)s) AND to_timestamp(%(last)s)
ORDER BY s.module_id
ON CONFLICT (module_id) DO UPDATE SET
    version = t.version + 1,
    observed_at = EXCLUDED.observed_at,
    received_at = EXCLUDED.received_at,
    sequence = EXCLUDED.sequence,
    module_clock_at = EXCLUDED.module_clock_at,
    clock_offset_s = EXCLUDED.clock_offset_s,
    battery_mv = EXCLUDED.battery_mv,
    signal_dbm = EXCLUDED.signal_dbm,
    concentrator_id = EXCLUDED.concentrator_id,
    packet_mode = EXCLUDED.packet_mode,
    firmware = EXCLUDED.firmware,
    relay_path = EXCLUDED.relay_path
WHERE EXCLUDED.observed_at >= t.observed_at
RETURNING module_id

-- name: upsert_sessions
-- Gives the packets that are new.
WITH told AS (
    INSERT INTO ingest.sessions AS t (
        concentrator_id, packet_id, received_at, sequence, sent_at, clock_offset_s, backlog_from_at, supply_mv,
        backlog_packets, modules, signal_dbm, lane, power
    )
    SELECT
        concentrator_id, packet_id, to_timestamp(received_s), sequence, to_timestamp(sent_s), clock_offset_s,
        to_timestamp(backlog_from_s), supply_mv, backlog_packets, modules, signal_dbm, lane, power
    FROM incoming_sessions ORDER BY concentrator_id, packet_id
    ON CONFLICT (concentrator_id, packet_id) DO UPDATE SET
        received_at = EXCLUDED.received_at,
        sequence = EXCLUDED.sequence,
        sent_at = EXCLUDED.sent_at,
        clock_offset_s = EXCLUDED.clock_offset_s,
        backlog_from_at = EXCLUDED.backlog_from_at,
        supply_mv = EXCLUDED.supply_mv,
        backlog_packets = EXCLUDED.backlog_packets,
        modules = EXCLUDED.modules,
        signal_dbm = EXCLUDED.signal_dbm,
        lane = EXCLUDED.lane,
        power = EXCLUDED.power
    WHERE (
        EXCLUDED.received_at, EXCLUDED.sequence, EXCLUDED.sent_at, EXCLUDED.modules, EXCLUDED.power,
        coalesce(EXCLUDED.supply_mv, -1), coalesce(EXCLUDED.signal_dbm, -1000), coalesce(EXCLUDED.backlog_packets, -1),
        coalesce(EXCLUDED.backlog_from_at, '-infinity'), EXCLUDED.lane
    ) < (
        t.received_at, t.sequence, t.sent_at, t.modules, t.power,
        coalesce(t.supply_mv, -1), coalesce(t.signal_dbm, -1000), coalesce(t.backlog_packets, -1),
        coalesce(t.backlog_from_at, '-infinity'), t.lane
    )
    RETURNING concentrator_id, packet_id, xmax = 0 AS is_new
)
SELECT concentrator_id, packet_id FROM told WHERE is_new

-- name: modules_with_odd_clocks
SELECT DISTINCT module_id FROM ingest.odd_clocks WHERE module_id = ANY (%(modules)s::text[])

-- name: odd_clocks_near
SELECT module_id, extract(epoch FROM observed_at)::bigint, heard_s, clock_offset_s FROM ingest.odd_clocks
WHERE module_id = ANY (%(modules)s::text[]) AND (
    (heard_s >= %(start)s AND heard_s < %(end)s)
    OR observed_at BETWEEN to_timestamp(%(first)s) AND to_timestamp(%(last)s)
)

-- name: odd_clocks_of_modules
SELECT module_id, heard_s, clock_offset_s FROM ingest.odd_clocks
WHERE module_id = ANY (%(modules)s::text[]) AND heard_s >= %(start)s AND heard_s < %(end)s

-- name: put_odd_clocks
INSERT INTO ingest.odd_clocks (module_id, observed_at, heard_s, clock_offset_s)
SELECT module_id, to_timestamp(observed_s), heard_s, offset_s
FROM unnest(%(modules)s::text[], %(observed)s::bigint[], %(heard)s::bigint[], %(offsets)s::bigint[])
    AS g (module_id, observed_s, heard_s, offset_s)
ORDER BY 1, 2
ON CONFLICT (module_id, observed_at) DO UPDATE SET heard_s = EXCLUDED.heard_s, clock_offset_s = EXCLUDED.clock_offset_s

-- name: drop_odd_clocks
DELETE FROM ingest.odd_clocks o
USING unnest(%(modules)s::text[], %(observed)s::bigint[]) AS g (module_id, observed_s)
WHERE o.module_id = g.module_id AND o.observed_at = to_timestamp(g.observed_s)

-- name: plain_clocks
-- Observations that are not among the odd ones: their true instant is the observed one.
SELECT module_id, extract(epoch FROM observed_at)::bigint, clock_offset_s FROM ingest.module_states
WHERE module_id = ANY (%(modules)s::text[]) AND observed_at >= to_timestamp(%(start)s) AND observed_at < to_timestamp(%(end)s)
    AND clock_offset_s BETWEEN -60 AND 60
    AND extract(epoch FROM module_clock_at)::bigint - clock_offset_s = extract(epoch FROM observed_at)::bigint

-- name: events_of_faults
SELECT module_id, channel, kind, phase, extract(epoch FROM occurred_at)::bigint, event_id FROM ingest.module_events
WHERE module_id = ANY (%(modules)s::text[]) AND kind IN ('SHORT_CIRCUIT', 'OPEN_CIRCUIT', 'NO_SENSOR', 'MAGNET')

-- name: current_events
SELECT
    event_id, concentrator_id, extract(epoch FROM received_at)::bigint, module_id, channel, kind, phase,
    extract(epoch FROM occurred_at)::bigint, value, command_id
FROM ingest.module_events WHERE event_id = ANY (%(ids)s::uuid[])

-- name: current_states
SELECT
    version, concentrator_id, extract(epoch FROM received_at)::bigint, module_id, extract(epoch FROM observed_at)::bigint,
    extract(epoch FROM module_clock_at)::bigint, battery_mv, signal_dbm, firmware, packet_mode,
    coalesce(relay_path, '{}'), clock_offset_s
FROM ingest.latest_module_states WHERE module_id = ANY (%(modules)s::text[])

-- name: current_sessions
SELECT
    s.concentrator_id, s.packet_id, s.sequence, extract(epoch FROM s.sent_at)::bigint,
    extract(epoch FROM s.received_at)::bigint, s.power, s.supply_mv, s.signal_dbm, s.backlog_packets,
    extract(epoch FROM s.backlog_from_at)::bigint, s.modules, s.clock_offset_s
FROM unnest(%(concentrators)s::text[], %(packets)s::text[]) AS g (concentrator_id, packet_id)
JOIN ingest.sessions s USING (concentrator_id, packet_id)

-- name: keep_modules
INSERT INTO ingest.modules AS t (module_id, version, deleted, settings, batteries)
SELECT module_id, version, deleted, settings, batteries
FROM jsonb_to_recordset(%(rows)s) AS g (module_id text, version bigint, deleted boolean, settings jsonb, batteries jsonb)
ON CONFLICT (module_id) DO UPDATE SET
    version = EXCLUDED.version,
    deleted = EXCLUDED.deleted,
    settings = EXCLUDED.settings,
    batteries = EXCLUDED.batteries
WHERE t.version < EXCLUDED.version
RETURNING module_id

-- name: keep_concentrators
INSERT INTO ingest.concentrators AS t (
    concentrator_id, version, deleted, variant, sim_payer, object_path, settings, batteries
)
SELECT concentrator_id, version, deleted, variant, sim_payer, object_path, settings, batteries
FROM jsonb_to_recordset(%(rows)s) AS g (
    concentrator_id text, version bigint, deleted boolean, variant text, sim_payer text, object_path text[],
    settings jsonb, batteries jsonb
)
ON CONFLICT (concentrator_id) DO UPDATE SET
    version = EXCLUDED.version,
    deleted = EXCLUDED.deleted,
    variant = EXCLUDED.variant,
    sim_payer = EXCLUDED.sim_payer,
    object_path = EXCLUDED.object_path,
    settings = EXCLUDED.settings,
    batteries = EXCLUDED.batteries
WHERE t.version < EXCLUDED.version
RETURNING concentrator_id

-- name: modules_set_to
SELECT DISTINCT module_id FROM ingest.packet_plans WHERE concentrator_id = ANY (%(concentrators)s)

-- name: settings_of_modules
SELECT module_id, settings, batteries FROM ingest.modules WHERE module_id = ANY (%(modules)s)

-- name: settings_of_concentrators
SELECT concentrator_id, settings, batteries FROM ingest.concentrators WHERE concentrator_id = ANY (%(concentrators)s)

-- name: every_module
-- That has batteries, or had when it was last forecast.
SELECT module_id FROM ingest.modules WHERE batteries <> '[]'
UNION SELECT device_id FROM ingest.battery_forecasts WHERE device = 'MODULE'

-- name: every_concentrator
-- That has batteries, or had when it was last forecast.
SELECT concentrator_id FROM ingest.concentrators WHERE batteries <> '[]'
UNION SELECT device_id FROM ingest.battery_forecasts WHERE device = 'CONCENTRATOR'

-- name: allowances_of_modules
SELECT module_id, valid_from, valid_until, allowance_days FROM ingest.packet_plans
WHERE allowance_days > 0 AND module_id = ANY (%(modules)s)
ORDER BY module_id, valid_from

-- name: forget_packet_plans
DELETE FROM ingest.packet_plans WHERE module_id = ANY (%(modules)s)

-- name: forget_session_plans
DELETE FROM ingest.session_plans WHERE concentrator_id = ANY (%(concentrators)s)

-- name: forecasts
SELECT device_id, fitted_at, used_until, battery_type, forecast_end FROM ingest.battery_forecasts
WHERE device = %(device)s AND device_id = ANY (%(ids)s)

-- name: forget_forecasts
DELETE FROM ingest.battery_forecasts WHERE device = %(device)s AND device_id = ANY (%(ids)s)

-- name: channels_of_modules
SELECT
    module_id, channel_id,
    extract(epoch FROM evidence_from)::bigint,
    extract(epoch FROM evidence_until)::bigint
FROM ingest.channels
WHERE module_id = ANY (%(modules)s) AND evidence_from IS NOT NULL

-- name: keep_fittings
WITH gone AS (DELETE FROM ingest.channel_fittings WHERE usage_point = %(point)s)
INSERT INTO ingest.channel_fittings (channel_id, usage_point, module_id, number, fitted, removed)
SELECT f.channel_id, u.usage_point, f.module_id, f.number, f.fitted, f.removed
FROM ingest.usage_points u,
    jsonb_to_recordset(u.fittings) AS f (channel_id int, module_id text, number smallint, fitted bigint, removed bigint)
WHERE u.usage_point = %(point)s

-- name: awaited_longer
-- Channels whose days may be awaited longer, by that many days, of those that begin at an instant.
SELECT c.channel_id, p.allowance_days
FROM ingest.packet_plans p
JOIN ingest.channels c ON c.module_id = p.module_id COLLATE "default"
WHERE p.allowance_days > 0 AND p.valid_from <= %(day)s AND p.valid_until > %(day)s

-- name: silent_channels_of
SELECT DISTINCT e.channel_id FROM ingest.evidence_days e
WHERE e.day_start = ANY (%(week)s) AND e.channel_id = ANY (%(channels)s::int[])
    AND EXISTS (SELECT FROM ingest.related_channels r WHERE r.channel_id = e.channel_id)
    AND NOT EXISTS (
        SELECT FROM ingest.evidence_days n WHERE n.day_start = %(day)s AND n.channel_id = e.channel_id
    )

-- name: incomplete_channels
-- With evidence on the day, though an hour of it may be missing: MISSING, or filled as ESTIMATED or EDITED.
SELECT DISTINCT e.channel_id
FROM ingest.evidence_days e
JOIN ingest.related_channels r ON r.channel_id = e.channel_id
LEFT JOIN ingest.reading_days d ON d.day_start = %(day)s AND d.usage_point = r.usage_point
WHERE e.day_start = %(day)s AND (d.usage_point IS NULL OR d.qualities && '{2,3,5}'::smallint[])

-- name: keep_heard
WITH concentrators AS (
    INSERT INTO ingest.concentrators_heard AS t (concentrator_id, heard_at)
    SELECT * FROM unnest(%(concentrators)s::text[], %(received)s::bigint[]) AS g (concentrator_id, heard_at)
    ORDER BY concentrator_id
    ON CONFLICT (concentrator_id) DO UPDATE SET heard_at = EXCLUDED.heard_at WHERE t.heard_at < EXCLUDED.heard_at
)
INSERT INTO ingest.modules_heard AS t (module_id, heard_at, concentrator_id)
SELECT * FROM unnest(%(modules)s::text[], %(heard)s::bigint[], %(by)s::text[]) AS g (module_id, heard_at, concentrator_id)
ORDER BY module_id
ON CONFLICT (module_id) DO UPDATE SET heard_at = EXCLUDED.heard_at, concentrator_id = EXCLUDED.concentrator_id
WHERE (t.heard_at, t.concentrator_id) < (EXCLUDED.heard_at, EXCLUDED.concentrator_id)

-- name: see_one_moment
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ

-- name: what_is_committed
SELECT pg_current_snapshot()::text, received_at FROM ingest.clock

-- name: delivery_concentrators
SELECT
    coalesce(c.concentrator_id, h.concentrator_id), h.heard_at,
    (SELECT min(s.valid_from) FROM ingest.session_plans s WHERE s.concentrator_id = c.concentrator_id),
    coalesce(c.deleted, false), coalesce(c.variant, 'UNSPECIFIED'), coalesce(p.allowance_days, 0)
FROM ingest.concentrators c
FULL JOIN ingest.concentrators_heard h ON h.concentrator_id = c.concentrator_id
LEFT JOIN ingest.session_plans p
    ON p.concentrator_id = c.concentrator_id AND p.valid_from <= %(now)s AND p.valid_until > %(now)s

-- name: last_said
SELECT
    g.concentrator_id,
    (
        SELECT s.power FROM ingest.sessions s
        WHERE s.concentrator_id = g.concentrator_id COLLATE "C" AND s.power <> 'UNSPECIFIED'
        ORDER BY s.received_at DESC, s.packet_id DESC LIMIT 1
    ),
    (
        SELECT s.signal_dbm FROM ingest.sessions s
        WHERE s.concentrator_id = g.concentrator_id COLLATE "C" AND s.signal_dbm IS NOT NULL
        ORDER BY s.received_at DESC, s.packet_id DESC LIMIT 1
    )
FROM unnest(%(concentrators)s::text[]) AS g (concentrator_id)

-- name: quiet_modules
SELECT h.module_id, h.heard_at, h.concentrator_id, coalesce(p.allowance_days, 0)
FROM ingest.modules_heard h
LEFT JOIN ingest.modules m ON m.module_id = h.module_id
LEFT JOIN ingest.packet_plans p
    ON p.module_id = h.module_id AND p.valid_from <= %(now)s AND p.valid_until > %(now)s
WHERE h.heard_at <= %(before)s AND NOT coalesce(m.deleted, false)
    AND EXISTS (
        SELECT FROM ingest.channel_fittings f
        WHERE f.module_id = h.module_id AND f.fitted <= %(now)s AND f.removed > %(now)s
    )

-- name: batteries_in_question
WITH alarms AS (
    SELECT DISTINCT ON (module_id) module_id, occurred_at, phase FROM ingest.module_events
    WHERE kind = 'BATTERY_LOW'
    ORDER BY module_id, occurred_at DESC, phase COLLATE "C" DESC
)
SELECT
    b.device, b.device_id, b.battery_type, b.fitted_at, b.forecast_end, s.battery_mv,
    coalesce(a.phase <> 'ENDED', false)
FROM ingest.battery_forecasts b
LEFT JOIN ingest.latest_module_states s
    ON b.device = 'MODULE' AND s.module_id = b.device_id AND s.observed_at >= to_timestamp(b.fitted_at)
LEFT JOIN alarms a ON b.device = 'MODULE' AND a.module_id = b.device_id AND a.occurred_at >= to_timestamp(b.fitted_at)
WHERE b.fitted_at <= %(now)s AND b.used_until > %(now)s
    AND (b.forecast_end <= %(soon)s OR s.battery_mv < %(least_mv)s OR a.phase <> 'ENDED')

-- name: wrong_clocks
SELECT concentrator_id, extract(epoch FROM received_at)::bigint, clock_offset_s FROM ingest.sessions
WHERE clock_offset_s <> 0

-- name: open_delivery_findings
SELECT finding_id, expected, found, message FROM ingest.findings WHERE open AND rule LIKE 'delivery.%%'

-- name: span_of_metering_days
SELECT coalesce(min(start_s), 0), coalesce(max(start_s), -1) FROM ingest.metering_days

-- name: keep_metering_days
INSERT INTO ingest.metering_days (day_start, start_s, end_s)
SELECT to_timestamp(g.start_s), g.start_s, g.end_s FROM unnest(%(starts)s::bigint[], %(ends)s::bigint[]) AS g (start_s, end_s)
ON CONFLICT DO NOTHING

-- name: set_aside
INSERT INTO ingest.set_aside (channel_id, day_start, reason)
SELECT %(channel)s, day, %(reason)s FROM unnest(%(days)s::timestamptz[]) AS g (day)
ON CONFLICT (channel_id, day_start) DO UPDATE SET reason = EXCLUDED.reason, failed_at = now()

-- name: no_longer_set_aside
DELETE FROM ingest.set_aside s
USING unnest(%(channels)s::int[], %(days)s::bigint[]) AS g (channel_id, day)
WHERE s.channel_id = g.channel_id AND s.day_start = to_timestamp(g.day)

-- name: take_back
DELETE FROM ingest.set_aside WHERE failed_at < now() - INTERVAL '1 h' RETURNING channel_id, day_start
