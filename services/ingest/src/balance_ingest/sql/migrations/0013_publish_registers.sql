CREATE VIEW v_registers AS
SELECT c.module_id, c.channel, e.day_start, r.read_at, r.register
FROM channels c
JOIN evidence_days e ON e.channel_id = c.channel_id
JOIN metering_days d ON d.day_start = e.day_start
CROSS JOIN LATERAL (
    SELECT to_timestamp(d.end_s) AS read_at, e.register_end AS register
    WHERE e.step_s > 0 AND e.register_end IS NOT NULL AND e.register_end_conflict IS NULL
    UNION ALL
    SELECT e.day_start + p.offset_s * INTERVAL '1 s', p.register
    FROM unnest(e.offsets_s, e.registers, e.register_conflicts) AS p (offset_s, register, other)
    WHERE e.step_s = 0 AND p.other IS NULL
) r;
COMMENT ON VIEW v_registers IS
'Registers as module channels told them, those told twice and differently left out; not judged. Bound day_start in every query.';
COMMENT ON COLUMN v_registers.module_id IS 'Radio module.';
COMMENT ON COLUMN v_registers.channel IS 'Channel of the module.';
COMMENT ON COLUMN v_registers.day_start IS 'Start of the metering day. Bound this column in every query.';
COMMENT ON COLUMN v_registers.read_at IS 'When the counter showed it: the end of the day, or any moment of it.';
COMMENT ON COLUMN v_registers.register IS 'Pulses.';

CREATE VIEW v_clock AS SELECT to_timestamp(received_at) AS received_at, to_timestamp(due_before) AS due_before FROM clock;
COMMENT ON VIEW v_clock IS 'How far time has come: one row.';
COMMENT ON COLUMN v_clock.received_at IS 'The newest receipt of a packet; 1970 before the first.';
COMMENT ON COLUMN v_clock.due_before IS 'Days that end by this instant should have been heard of.';

CREATE VIEW v_heard AS SELECT module_id, to_timestamp(heard_at) AS heard_at, concentrator_id FROM modules_heard;
COMMENT ON VIEW v_heard IS 'When each module was last heard, and by which concentrator (docs/domain.md §3.18).';
COMMENT ON COLUMN v_heard.module_id IS 'Radio module.';
COMMENT ON COLUMN v_heard.heard_at IS 'When it was last heard.';
COMMENT ON COLUMN v_heard.concentrator_id IS 'Concentrator that heard it.';

-- By hash: an id that somebody made up may be longer than a B-tree takes.
CREATE INDEX findings_by_point_name ON findings USING hash (usage_point_id) WHERE usage_point_id IS NOT NULL;
CREATE INDEX findings_by_module_name ON findings USING hash (module_id) WHERE module_id IS NOT NULL;
CREATE INDEX findings_by_concentrator_name ON findings USING hash (concentrator_id) WHERE concentrator_id IS NOT NULL;
CREATE INDEX modules_heard_by_concentrator ON modules_heard USING hash (concentrator_id);

GRANT SELECT ON v_registers, v_clock, v_heard TO balance_reader;
