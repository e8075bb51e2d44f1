CREATE TABLE group_days (
    balance_group int NOT NULL,
    day_start timestamptz NOT NULL,
    step_s int NOT NULL,
    supply bigint,
    members bigint NOT NULL,
    imbalance bigint,
    tolerance bigint,
    coverage smallint NOT NULL,
    verdict smallint NOT NULL,
    members_due int NOT NULL,
    members_reported int NOT NULL,
    missing_share_ppm int NOT NULL,
    hour_supply bigint[] NOT NULL,
    hour_members bigint[] NOT NULL,
    hour_imbalance bigint[] NOT NULL,
    hour_tolerance bigint[] NOT NULL,
    hour_coverage smallint[] NOT NULL,
    hour_verdict smallint[] NOT NULL,
    hour_members_due int[] NOT NULL,
    hour_members_reported int[] NOT NULL,
    hour_missing_share_ppm int[] NOT NULL,
    u_supply_class double precision,
    u_members_class double precision,
    u_pulse double precision,
    u_estimate double precision,
    supply_pulse bigint NOT NULL,
    missing int[] NOT NULL,
    withdrawn boolean NOT NULL,
    version bigint NOT NULL,
    algorithm_version int NOT NULL,
    settings_hash text NOT NULL,
    computed_at timestamptz NOT NULL,
    previous jsonb,
    PRIMARY KEY (balance_group, day_start)
)
-- if plain
PARTITION BY RANGE (day_start)
-- end
;
-- if timescaledb
SELECT create_hypertable('group_days', by_range('day_start', INTERVAL '28 days'), create_default_indexes => false);
ALTER TABLE group_days SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'balance_group', timescaledb.compress_orderby = 'day_start'
);
SELECT add_compression_policy('group_days', INTERVAL '45 days');
-- end
CREATE INDEX group_days_by_day ON group_days (day_start, balance_group);
COMMENT ON TABLE group_days IS 'Imbalance of a balance group on a metering day, its hours as arrays. Base units throughout.';
COMMENT ON COLUMN group_days.u_supply_class IS 'Standard uncertainty of the day by the class of the supply meters; null without a tolerance.';
COMMENT ON COLUMN group_days.u_members_class IS 'The same by the class of the members'' meters.';
COMMENT ON COLUMN group_days.u_pulse IS 'The same by the size of a pulse; enters a longer span once.';
COMMENT ON COLUMN group_days.u_estimate IS 'The same by the estimates of missing members.';
COMMENT ON COLUMN group_days.supply_pulse IS 'Largest pulse weight of a supply meter that day; 0 without one.';
COMMENT ON COLUMN group_days.missing IS 'Usage points that did not report all of the day, ascending.';
COMMENT ON COLUMN group_days.withdrawn IS 'The day is no longer of the group: kept for its version, shown nowhere.';
COMMENT ON COLUMN group_days.previous IS 'Figures of the version before, by their names on the wire.';
