CREATE TABLE reading_days (
    usage_point int NOT NULL,
    day_start timestamptz NOT NULL,
    step_s int NOT NULL,
    "values" bigint[] NOT NULL,
    qualities smallint[],
    version bigint NOT NULL,
    changed_in bigint NOT NULL,
    PRIMARY KEY (usage_point, day_start)
)
-- if plain
PARTITION BY RANGE (day_start)
-- end
;
-- if timescaledb
SELECT create_hypertable('reading_days', by_range('day_start', INTERVAL '28 days'), create_default_indexes => false);
ALTER TABLE reading_days SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'usage_point', timescaledb.compress_orderby = 'day_start'
);
SELECT add_compression_policy('reading_days', INTERVAL '45 days');
-- end
COMMENT ON TABLE reading_days IS 'This service''s copy of readings, a metering day of a usage point each, greatest version.';
COMMENT ON COLUMN reading_days."values" IS 'Base units by hour; 0 where the quality says that there is none.';
COMMENT ON COLUMN reading_days.qualities IS 'Quality codes by hour; null when all are VALID.';
COMMENT ON COLUMN reading_days.changed_in IS 'Version in which values or qualities changed last.';
