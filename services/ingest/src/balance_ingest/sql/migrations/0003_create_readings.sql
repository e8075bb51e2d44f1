CREATE TABLE reading_days (
    usage_point int NOT NULL,
    day_start timestamptz NOT NULL,
    step_s int NOT NULL DEFAULT 3600,
    version bigint NOT NULL DEFAULT 1,
    resource smallint NOT NULL,
    algorithm_version smallint NOT NULL,
    "values" bigint[] NOT NULL,
    qualities smallint[],
    PRIMARY KEY (day_start, usage_point)
)
-- if plain
PARTITION BY RANGE (day_start)
-- end
;
COMMENT ON TABLE reading_days IS 'Readings of usage points, a metering day each, as they now stand (docs/domain.md §3).';
COMMENT ON COLUMN reading_days."values" IS 'Base units by hour; null when the hour has no value.';
COMMENT ON COLUMN reading_days.qualities IS 'Quality by hour (its place in the contract), null when all are VALID. All MISSING: the day was withdrawn.';

-- if timescaledb
SELECT create_hypertable('reading_days', 'day_start', chunk_time_interval => INTERVAL '28 days', create_default_indexes => false);
ALTER TABLE reading_days SET (timescaledb.compress, timescaledb.compress_segmentby = 'usage_point', timescaledb.compress_orderby = 'day_start');
SELECT add_compression_policy('reading_days', INTERVAL '45 days');
-- end

CREATE TABLE findings (
    finding_id text PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    open boolean NOT NULL DEFAULT true,
    rule text NOT NULL,
    severity smallint NOT NULL,
    usage_point int REFERENCES usage_points,
    channel_id int,
    usage_point_id text,
    module_id text,
    channel int,
    concentrator_id text,
    interval_start timestamptz NOT NULL,
    interval_end timestamptz NOT NULL,
    expected text NOT NULL,
    found text NOT NULL,
    message text NOT NULL,
    sequence bigint,
    element jsonb,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX findings_by_usage_point ON findings (usage_point, interval_end) WHERE open;
CREATE INDEX findings_by_channel ON findings (channel_id, interval_start) WHERE open AND usage_point IS NULL;
COMMENT ON TABLE findings IS 'Facts that validation established, with what was expected and found (docs/domain.md §3).';
COMMENT ON COLUMN findings.usage_point IS 'The usage point whose computation found it, and withdraws it.';
COMMENT ON COLUMN findings.channel_id IS 'The channel whose evidence it is about, when it is no usage point''s.';
COMMENT ON COLUMN findings.element IS 'What was refused, as it came.';
COMMENT ON COLUMN findings.sequence IS 'Sequence of the packet whose element is held.';

CREATE TABLE clock (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    received_at bigint NOT NULL DEFAULT 0,
    due_before bigint NOT NULL DEFAULT 0
);
INSERT INTO clock DEFAULT VALUES;
COMMENT ON TABLE clock IS 'How far time has come.';
COMMENT ON COLUMN clock.received_at IS 'The newest receipt of a packet, seconds since 1970.';
COMMENT ON COLUMN clock.due_before IS 'Days that end by this instant should have been heard of, seconds since 1970.';
