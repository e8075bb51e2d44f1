CREATE SEQUENCE asset_generations;
CREATE TABLE usage_points (
    usage_point int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    usage_point_id text NOT NULL UNIQUE,
    version bigint NOT NULL,
    resource smallint NOT NULL,
    meters jsonb NOT NULL,
    fittings jsonb NOT NULL,
    generation bigint NOT NULL DEFAULT nextval('asset_generations')
);
CREATE INDEX usage_points_by_generation ON usage_points (generation);
COMMENT ON TABLE usage_points IS 'Projection of the register: each usage point with its whole history, of the greatest version.';
COMMENT ON COLUMN usage_points.meters IS 'Meters in the order fitted; empty for a deleted usage point. Instants in seconds since 1970.';
COMMENT ON COLUMN usage_points.fittings IS 'Module channels in the order fitted; empty for a deleted usage point.';
COMMENT ON COLUMN usage_points.generation IS 'Rises with every change of any usage point, by which copies in memory are refreshed.';

CREATE TABLE related_channels (
    channel_id int NOT NULL REFERENCES channels,
    usage_point int NOT NULL REFERENCES usage_points,
    PRIMARY KEY (channel_id, usage_point)
);
CREATE INDEX related_channels_by_usage_point ON related_channels (usage_point);
COMMENT ON TABLE related_channels IS 'Every pair that any version of the register named: what a correction left behind is found by it.';
