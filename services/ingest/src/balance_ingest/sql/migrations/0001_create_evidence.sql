CREATE TABLE channels (
    channel_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    module_id text NOT NULL,
    channel smallint NOT NULL,
    evidence_from timestamptz,
    evidence_until timestamptz,
    UNIQUE (module_id, channel)
);
COMMENT ON TABLE channels IS 'Every module channel that was heard of or described. Its row is locked by whoever computes from its evidence.';
COMMENT ON COLUMN channels.evidence_from IS 'No evidence lies before this day; moved a month at a time.';
COMMENT ON COLUMN channels.evidence_until IS 'No evidence lies on or after this day; moved a month at a time.';

CREATE TABLE evidence_days (
    channel_id int NOT NULL,
    day_start timestamptz NOT NULL,
    step_s int NOT NULL,
    "values" int[],
    revision bigint,
    revisions bigint[],
    conflicts int[],
    register_start bigint,
    register_start_revision bigint,
    register_start_conflict bigint,
    register_end bigint,
    register_end_revision bigint,
    register_end_conflict bigint,
    offsets_s int[],
    registers bigint[],
    register_conflicts bigint[],
    PRIMARY KEY (day_start, channel_id, step_s)
)
-- if plain
PARTITION BY RANGE (day_start)
-- end
;
CREATE INDEX evidence_days_points ON evidence_days (channel_id, day_start) WHERE step_s = 0;
COMMENT ON TABLE evidence_days IS 'What devices said, never converted or corrected: one row a channel, metering day and step (docs/domain.md §2).';
COMMENT ON COLUMN evidence_days.step_s IS 'Length of an interval in seconds; 0 for a row of POINT registers.';
COMMENT ON COLUMN evidence_days."values" IS 'Counts by interval; null where nothing was said. The smallest one where conflicts says so.';
COMMENT ON COLUMN evidence_days.revision IS 'rank * 2^62 + sequence of all of the row, when it is the same for all.';
COMMENT ON COLUMN evidence_days.revisions IS 'Revision of each element, when they differ; null where nothing was said.';
COMMENT ON COLUMN evidence_days.conflicts IS 'The largest count of intervals reported twice, differently, with one revision; null for the others.';
COMMENT ON COLUMN evidence_days.register_start IS 'Register at the start of the day, in pulses.';
COMMENT ON COLUMN evidence_days.register_end IS 'Register at the end of the day, in pulses.';
COMMENT ON COLUMN evidence_days.offsets_s IS 'POINT registers: seconds after the start of the day.';
COMMENT ON COLUMN evidence_days.registers IS 'POINT registers in pulses.';

-- if timescaledb
SELECT create_hypertable('evidence_days', 'day_start', chunk_time_interval => INTERVAL '28 days', create_default_indexes => false);
ALTER TABLE evidence_days SET (timescaledb.compress, timescaledb.compress_segmentby = 'channel_id', timescaledb.compress_orderby = 'day_start, step_s');
SELECT add_compression_policy('evidence_days', INTERVAL '45 days');
-- end
