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
    extract(epoch FROM evidence_until)::bigint
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
    channel_id,
    extract(epoch FROM evidence_from)::bigint,
    extract(epoch FROM evidence_until)::bigint
FROM ingest.channels
WHERE channel_id = ANY (%(channels)s::int[]) AND evidence_from IS NOT NULL

-- name: usage_points_since
SELECT generation, usage_point FROM ingest.usage_points WHERE generation > %(generation)s ORDER BY generation

-- name: usage_points_of_channels
SELECT u.usage_point, u.usage_point_id, u.resource, u.meters, u.fittings, r.related
FROM ingest.usage_points u
JOIN LATERAL (
    SELECT array_agg(channel_id ORDER BY channel_id) AS related
    FROM ingest.related_channels WHERE usage_point = u.usage_point
) r ON true
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
    usage_point int, day_start bigint, resource int, "values" bigint[], qualities smallint[], greatest bigint
) ON COMMIT DELETE ROWS

-- name: upsert_readings
INSERT INTO ingest.reading_days AS t (
    usage_point, day_start, resource, algorithm_version, "values", qualities, greatest
)
SELECT usage_point, to_timestamp(day_start), resource, %(algorithm)s, "values", qualities, greatest
FROM incoming_readings
ORDER BY day_start, usage_point
ON CONFLICT (day_start, usage_point) DO UPDATE SET
    version = t.version + 1,
    resource = EXCLUDED.resource,
    algorithm_version = EXCLUDED.algorithm_version,
    "values" = EXCLUDED."values",
    qualities = EXCLUDED.qualities,
    greatest = EXCLUDED.greatest
WHERE t.algorithm_version <= EXCLUDED.algorithm_version
    AND (t."values", t.qualities, t.resource) IS DISTINCT FROM (EXCLUDED."values", EXCLUDED.qualities, EXCLUDED.resource)
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
ORDER BY finding_id, sequence DESC, element DESC
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
        WHEN t.sequence IS NOT NULL THEN (EXCLUDED.sequence, EXCLUDED.element) > (t.sequence, t.element)
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
SELECT usage_point, usage_point_id, version, resource, meters, fittings FROM ingest.usage_points
WHERE usage_point_id = ANY (%(ids)s)

-- name: upsert_usage_point
INSERT INTO ingest.usage_points AS t (usage_point_id, version, resource, meters, fittings)
VALUES (%(id)s, %(version)s, %(resource)s, %(meters)s, %(fittings)s)
ON CONFLICT (usage_point_id) DO UPDATE SET
    version = EXCLUDED.version,
    resource = EXCLUDED.resource,
    meters = EXCLUDED.meters,
    fittings = EXCLUDED.fittings,
    generation = nextval('ingest.asset_generations')
RETURNING usage_point

-- name: relate_channels
INSERT INTO ingest.related_channels (channel_id, usage_point)
SELECT channel_id, %(point)s FROM unnest(%(channels)s::int[]) AS g (channel_id)
ON CONFLICT DO NOTHING

-- name: current_plain_readings
-- Meters with all hours VALID; current_readings has the others. 5: the last resource that is no sensor's.
SELECT
    r.algorithm_version, cardinality(r."values"),
    array_agg(u.usage_point_id), array_agg(r.resource), array_agg(r.version), array_agg(r."values")
FROM ingest.reading_days r
JOIN ingest.usage_points u USING (usage_point)
WHERE r.day_start = %(day)s AND r.usage_point = ANY (%(points)s::int[])
    AND r.qualities IS NULL AND r.resource <= 5
GROUP BY r.algorithm_version, cardinality(r."values")

-- name: current_readings
SELECT
    u.usage_point_id, r.resource, extract(epoch FROM r.day_start)::bigint, r.version, r."values", r.qualities,
    r.algorithm_version
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
    ORDER BY id LIMIT 4
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

-- name: usual_of_days
SELECT usage_point, count(greatest)::int, coalesce(max(greatest), 0) FROM ingest.reading_days
WHERE day_start = ANY (%(days)s) AND usage_point = ANY (%(points)s::int[])
GROUP BY usage_point

-- name: hours_of_days
SELECT extract(epoch FROM day_start)::bigint, "values", qualities FROM ingest.reading_days
WHERE day_start = ANY (%(days)s) AND usage_point = %(point)s
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
