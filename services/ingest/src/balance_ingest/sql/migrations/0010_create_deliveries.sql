CREATE TABLE modules (
    module_id text PRIMARY KEY,
    version bigint NOT NULL,
    deleted boolean NOT NULL,
    settings jsonb NOT NULL,
    batteries jsonb NOT NULL
);
COMMENT ON TABLE modules IS 'Projection of the register: each radio module with its whole history, of the greatest version.';
COMMENT ON COLUMN modules.settings IS '[since, packet mode, concentrator or null] in order of time; seconds since 1970. Empty for a deleted module.';
COMMENT ON COLUMN modules.batteries IS '[type, fitted] in the order fitted. Empty for a deleted module.';

CREATE TABLE concentrators (
    concentrator_id text PRIMARY KEY,
    version bigint NOT NULL,
    deleted boolean NOT NULL,
    variant text NOT NULL,
    sim_payer text NOT NULL,
    object_path text[] NOT NULL,
    settings jsonb NOT NULL,
    batteries jsonb NOT NULL
);
COMMENT ON TABLE concentrators IS 'Projection of the register: each concentrator with its whole history, of the greatest version.';
COMMENT ON COLUMN concentrators.settings IS '[since, session plan] in order of time; seconds since 1970. Empty for a deleted concentrator.';

CREATE TABLE packet_plans (
    module_id text NOT NULL,
    valid_from bigint NOT NULL,
    valid_until bigint NOT NULL,
    packet_mode text NOT NULL,
    allowance_days smallint NOT NULL,
    concentrator_id text,
    PRIMARY KEY (module_id, valid_from)
);
CREATE INDEX packet_plans_by_concentrator ON packet_plans (concentrator_id);
CREATE INDEX packet_plans_with_allowance ON packet_plans (module_id) WHERE allowance_days > 0;
COMMENT ON TABLE packet_plans IS 'What was in force for a module in [valid_from, valid_until), of its own settings and its concentrator''s (docs/domain.md §3.17). Before the first: DAILY.';

CREATE TABLE session_plans (
    concentrator_id text NOT NULL,
    valid_from bigint NOT NULL,
    valid_until bigint NOT NULL,
    session_plan text NOT NULL,
    allowance_days smallint NOT NULL,
    PRIMARY KEY (concentrator_id, valid_from)
);
COMMENT ON TABLE session_plans IS 'What was in force for a concentrator in [valid_from, valid_until).';

CREATE TABLE battery_forecasts (
    device text NOT NULL CHECK (device IN ('MODULE', 'CONCENTRATOR')),
    device_id text NOT NULL,
    fitted_at bigint NOT NULL,
    used_until bigint NOT NULL,
    battery_type text NOT NULL,
    forecast_end bigint,
    PRIMARY KEY (device, device_id, fitted_at)
);
COMMENT ON TABLE battery_forecasts IS 'Batteries, each in use in [fitted_at, used_until), and when they will be empty (docs/domain.md §3.19).';
COMMENT ON COLUMN battery_forecasts.forecast_end IS 'Null when no life of this type in a plan on the way is known.';

CREATE TABLE channel_fittings (
    channel_id int NOT NULL,
    usage_point int NOT NULL,
    module_id text NOT NULL,
    number smallint NOT NULL,
    fitted bigint NOT NULL,
    removed bigint NOT NULL
);
CREATE INDEX channel_fittings_by_usage_point ON channel_fittings (usage_point);
CREATE INDEX channel_fittings_by_module ON channel_fittings (module_id);
COMMENT ON TABLE channel_fittings IS 'The fittings of ingest.usage_points, a row each.';
INSERT INTO channel_fittings
SELECT f.channel_id, u.usage_point, f.module_id, f.number, f.fitted, f.removed
FROM usage_points u, jsonb_to_recordset(u.fittings) AS f (channel_id int, module_id text, number smallint, fitted bigint, removed bigint);

CREATE TABLE modules_heard (
    module_id text PRIMARY KEY,
    heard_at bigint NOT NULL,
    concentrator_id text NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE concentrators_heard (
    concentrator_id text PRIMARY KEY,
    heard_at bigint NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE modules_heard IS 'When each module was last heard, and by which concentrator (docs/domain.md §3.18).';
COMMENT ON TABLE concentrators_heard IS 'When each concentrator was last heard (docs/domain.md §3.18).';

CREATE TABLE metering_days (
    day_start timestamptz PRIMARY KEY,
    start_s bigint NOT NULL,
    end_s bigint NOT NULL
);
COMMENT ON TABLE metering_days IS 'The metering days of the installation from its first evidence to the clock.';

CREATE INDEX findings_of_delivery ON findings (rule) WHERE open AND rule LIKE 'delivery.%';
