CREATE TABLE usage_points (
    usage_point int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    usage_point_id text NOT NULL UNIQUE,
    version bigint
);
COMMENT ON TABLE usage_points IS 'Usage points described by the register or heard of in readings, with a small number each.';
COMMENT ON COLUMN usage_points.version IS 'Version of the description; null while nobody described it.';

CREATE TABLE meters (
    usage_point int NOT NULL REFERENCES usage_points,
    fitted_at timestamptz NOT NULL,
    removed_at timestamptz,
    class_ppm int NOT NULL,
    pulse_weight bigint NOT NULL
);
CREATE INDEX meters_by_usage_point ON meters (usage_point);
COMMENT ON TABLE meters IS 'Meters of a usage point over time: class in millionths, base units a pulse.';

CREATE TABLE groups (
    balance_group int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id text NOT NULL UNIQUE,
    name text NOT NULL,
    resource smallint NOT NULL,
    version bigint NOT NULL,
    first_day timestamptz,
    filled_from timestamptz,
    filled_to timestamptz
);
COMMENT ON TABLE groups IS 'Balance groups. Whoever computes one holds its row FOR UPDATE, whoever marks it FOR SHARE.';
COMMENT ON COLUMN groups.first_day IS 'First day on which a usage point valid in the group has a reading day.';
COMMENT ON COLUMN groups.filled_from IS 'From here to filled_to every day was marked, readings or not.';

CREATE TABLE memberships (
    balance_group int NOT NULL REFERENCES groups,
    ordinal int NOT NULL,
    usage_point int NOT NULL REFERENCES usage_points,
    role smallint NOT NULL,
    coefficient_ppm bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    PRIMARY KEY (balance_group, ordinal)
);
CREATE INDEX memberships_by_usage_point ON memberships (usage_point);
COMMENT ON TABLE memberships IS 'Usage points of a group over time, in the order of the register.';

CREATE TABLE clock (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    heard_at timestamptz NOT NULL
);
INSERT INTO clock (heard_at) VALUES ('-infinity');
COMMENT ON TABLE clock IS 'Newest receipt of a packet heard of: the time of an installation that replays the past.';
