ALTER TABLE usage_points
    ADD COLUMN resource smallint NOT NULL DEFAULT 0,
    ADD COLUMN object_path text[] NOT NULL DEFAULT '{}',
    ADD COLUMN is_outdoor boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN usage_points.object_path IS 'Region, locality, street and so on: where the usage point is.';
COMMENT ON COLUMN usage_points.is_outdoor IS 'A thermometer that tells the weather of the object of its path.';

ALTER TABLE meters
    ADD COLUMN q_start bigint NOT NULL DEFAULT 0,
    ADD COLUMN is_compensated boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN meters.q_start IS 'Starting flow in base units an hour; 0 when it is not known.';
COMMENT ON COLUMN meters.is_compensated IS 'Counts gas at base temperature.';

CREATE TABLE channels (
    usage_point int NOT NULL REFERENCES usage_points,
    module_id text NOT NULL,
    channel int NOT NULL,
    fitted_at timestamptz NOT NULL,
    removed_at timestamptz
);
CREATE INDEX channels_by_usage_point ON channels (usage_point);
CREATE INDEX channels_by_module ON channels (module_id);
COMMENT ON TABLE channels IS 'Module channels that read a usage point over time.';

CREATE TABLE modules (
    module_id text PRIMARY KEY,
    version bigint NOT NULL,
    settings jsonb NOT NULL
);
CREATE INDEX modules_by_settings ON modules USING gin (settings jsonb_path_ops);
COMMENT ON TABLE modules IS 'Modules of the register; settings as [[since in seconds, packet mode, concentrator or null], …] in order of time.';

CREATE TABLE concentrators (
    concentrator_id text PRIMARY KEY,
    version bigint NOT NULL,
    settings jsonb NOT NULL
);
COMMENT ON TABLE concentrators IS 'Concentrators of the register; settings as [[since in seconds, session plan], …] in order of time.';

CREATE TABLE allowances (
    usage_point int NOT NULL REFERENCES usage_points,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    days smallint NOT NULL
);
CREATE INDEX allowances_by_usage_point ON allowances (usage_point);
COMMENT ON TABLE allowances IS 'By how many days longer a usage point may be silent, by the packet plans of its modules; none is 0.';

CREATE TABLE thermometers (
    usage_point int NOT NULL REFERENCES usage_points,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    thermometer int NOT NULL REFERENCES usage_points
);
CREATE INDEX thermometers_by_usage_point ON thermometers (usage_point);
CREATE INDEX thermometers_by_thermometer ON thermometers (thermometer);
COMMENT ON TABLE thermometers IS 'Whose temperature is that of a usage point of gas, on days that start in the span.';

CREATE TABLE entries (
    balance_group int NOT NULL REFERENCES groups,
    ordinal int NOT NULL,
    usage_point int REFERENCES usage_points,
    nested_group text,
    role smallint NOT NULL,
    coefficient_ppm bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    PRIMARY KEY (balance_group, ordinal),
    CHECK ((usage_point IS NULL) <> (nested_group IS NULL))
);
CREATE INDEX entries_by_nested_group ON entries (nested_group) WHERE nested_group IS NOT NULL;
COMMENT ON TABLE entries IS 'Memberships as the register has them, in its order: each of a usage point, or of a group by id that may not be described.';
INSERT INTO entries (balance_group, ordinal, usage_point, role, coefficient_ppm, valid_from, valid_to)
SELECT balance_group, ordinal, usage_point, role, coefficient_ppm, valid_from, valid_to FROM memberships;
COMMENT ON TABLE memberships IS 'Usage points of a group over time as its entries and those of nested groups resolve, in the order of the register.';

CREATE TABLE group_problems (
    balance_group int NOT NULL REFERENCES groups,
    problem smallint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz
);
CREATE INDEX group_problems_by_group ON group_problems (balance_group);
COMMENT ON TABLE group_problems IS 'What is wrong with the entries of a group and of those nested in it, by its number in the contract, while they are valid.';

-- What the register says and was not kept so far counts when it is told again, whatever its version.
UPDATE usage_points SET version = NULL WHERE version IS NOT NULL;
UPDATE groups SET version = -1;
