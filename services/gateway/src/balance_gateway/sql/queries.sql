-- Statements on the asset register. One writer at a time: see lock_register.

-- name: lock_register
-- What is checked must stand until it is written; changes are few, and short.
SELECT pg_advisory_xact_lock(hashtext('gateway.register'))

-- name: standing
SELECT e.kind, e.name, e.version, e.value
FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS wanted (kind, name)
JOIN gateway.entities e USING (kind, name)

-- name: resources
SELECT e.name, e.value->>'resource'
FROM gateway.entities e
WHERE e.kind = %(kind)s AND e.name = ANY (%(names)s)

-- name: existing
SELECT e.name FROM gateway.entities e WHERE e.kind = %(kind)s AND e.name = ANY (%(names)s)

-- name: naming
-- Entities of a kind that stand and name any of these.
SELECT e.name, e.value
FROM gateway.entities e
WHERE e.kind = %(kind)s AND e.value->>'state' = 'ACTIVE' AND e.id IN (
    SELECT l.entity_id FROM gateway.links l WHERE l.to_kind = %(to_kind)s AND l.to_name = ANY (%(names)s)
)

-- name: logged
SELECT kind, name, after FROM gateway.changes WHERE number = %(number)s

-- name: write_entities
INSERT INTO gateway.entities AS t (kind, name, version, value, changed_at, words)
SELECT kind, name, version, value, now(), array_to_tsvector(ARRAY(SELECT jsonb_array_elements_text(words)))
FROM unnest(%(kinds)s::text[], %(names)s::text[], %(versions)s::bigint[], %(values)s::jsonb[], %(words)s::jsonb[])
    AS given (kind, name, version, value, words)
ON CONFLICT (kind, name) DO UPDATE SET
    version = excluded.version, value = excluded.value, changed_at = excluded.changed_at, words = excluded.words

-- name: entities_without_words
SELECT kind, name, version, value FROM gateway.entities WHERE words IS NULL ORDER BY id LIMIT %(most)s

-- name: give_words
-- Of the versions that were read alone: who changed one since has given it its own.
UPDATE gateway.entities e SET words = array_to_tsvector(ARRAY(SELECT jsonb_array_elements_text(given.words)))
FROM unnest(%(kinds)s::text[], %(names)s::text[], %(versions)s::bigint[], %(words)s::jsonb[])
    AS given (kind, name, version, words)
WHERE e.kind = given.kind AND e.name = given.name AND e.version = given.version AND e.words IS NULL

-- name: forget_links
DELETE FROM gateway.links l
USING unnest(%(kinds)s::text[], %(names)s::text[]) AS given (kind, name)
JOIN gateway.entities e USING (kind, name)
WHERE l.entity_id = e.id

-- name: write_links
INSERT INTO gateway.links (entity_id, to_kind, to_name)
SELECT e.id, given.to_kind, given.to_name
FROM unnest(%(kinds)s::text[], %(names)s::text[], %(to_kinds)s::text[], %(to_names)s::text[])
    AS given (kind, name, to_kind, to_name)
JOIN gateway.entities e USING (kind, name)

-- name: log_changes
INSERT INTO gateway.changes
    (changed_at, kind, name, version, author, way, reason, restored, before, after)
SELECT now(), kind, name, version, %(author)s, %(way)s, %(reason)s, restored, before, after
FROM unnest(
    %(kinds)s::text[], %(names)s::text[], %(versions)s::bigint[], %(restored)s::bigint[],
    %(befores)s::jsonb[], %(values)s::jsonb[]
) WITH ORDINALITY AS given (kind, name, version, restored, before, after, place)
ORDER BY place
RETURNING number

-- name: current_entities
SELECT e.kind, e.name, e.version, e.value, e.changed_at
FROM unnest(%(kinds)s::text[], %(names)s::text[]) AS wanted (kind, name)
JOIN gateway.entities e USING (kind, name)

-- name: counts
SELECT kind, count(*) FROM gateway.entities WHERE value->>'state' <> 'DELETED' GROUP BY kind

-- name: unpublished
SELECT count(*) FROM gateway.outbox
