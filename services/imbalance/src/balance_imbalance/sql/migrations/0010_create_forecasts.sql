CREATE TABLE nightly (
    kind text PRIMARY KEY,
    done_to timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE nightly IS 'Results computed once a metering day. Who lets days fall due holds the row FOR UPDATE, who stores what they depend on FOR SHARE.';
COMMENT ON COLUMN nightly.done_to IS 'Last day that fell due: all of it was marked; what is stored later of a day up to it marks by itself.';

CREATE TABLE forecast_markers (LIKE markers INCLUDING ALL);
CREATE TABLE group_forecast_markers (LIKE markers INCLUDING ALL);
COMMENT ON TABLE forecast_markers IS 'Forecasts of usage points to be computed, by the day they are as of.';
COMMENT ON TABLE group_forecast_markers IS 'Forecasts of groups to be computed, by the day they are as of.';
INSERT INTO nightly (kind) VALUES ('forecast'), ('group_forecast');

CREATE TABLE forecasts (
    subject_kind smallint NOT NULL CHECK (subject_kind IN (1, 2)),
    subject int NOT NULL,
    month_start timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    used bigint,
    expected bigint,
    lowest bigint,
    highest bigint,
    days_known smallint NOT NULL,
    days_to_come smallint NOT NULL,
    method smallint NOT NULL,
    reason smallint NOT NULL,
    version bigint NOT NULL,
    algorithm_version int NOT NULL,
    settings_hash text NOT NULL,
    computed_at timestamptz NOT NULL,
    previous jsonb,
    PRIMARY KEY (month_start, subject_kind, subject)
);
-- Not by month: a planner without statistics of a young table takes an index of half the key for as good as the key.
CREATE INDEX forecasts_by_subject ON forecasts (subject, subject_kind);
COMMENT ON TABLE forecasts IS 'What subjects will have used by the end of a month, as of the last day that fell due in it. Base units.';
COMMENT ON COLUMN forecasts.subject_kind IS '1 usage point, 2 balance group.';
COMMENT ON COLUMN forecasts.subject IS 'Number of the usage point or the group.';
COMMENT ON COLUMN forecasts.reason IS 'Why not computable, by its number in the contract; 2: withdrawn, kept for its version and shown nowhere.';
COMMENT ON COLUMN forecasts.previous IS 'Figures of the version before, by their names on the wire; as_of in seconds.';

CREATE VIEW v_forecasts AS
SELECT
    (ARRAY['USAGE_POINT', 'BALANCE_GROUP'])[f.subject_kind] AS subject_kind,
    coalesce(u.usage_point_id, g.group_id) AS subject_id,
    resource_name(coalesce(u.resource, g.resource)) AS resource,
    unit_name(coalesce(u.resource, g.resource)) AS unit,
    f.month_start,
    f.as_of,
    f.used,
    f.expected,
    f.lowest,
    f.highest,
    f.days_known,
    f.days_to_come,
    (ARRAY['UNSPECIFIED', 'MEASURED', 'DEGREE_DAYS', 'MEAN', 'NONE'])[f.method + 1] AS method,
    CASE WHEN f.reason > 0 THEN (ARRAY['TOO_FEW_DAYS', 'WITHDRAWN'])[f.reason] END AS reason,
    f.version,
    f.algorithm_version,
    f.settings_hash,
    f.computed_at,
    f.previous
FROM forecasts f
LEFT JOIN usage_points u ON f.subject_kind = 1 AND u.usage_point = f.subject
LEFT JOIN groups g ON f.subject_kind = 2 AND g.balance_group = f.subject
WHERE f.reason <> 2;

COMMENT ON VIEW v_forecasts IS 'What usage points, and the supply of groups, will have used by the end of a month, one row a subject and month (docs/domain.md §6).';
COMMENT ON COLUMN v_forecasts.subject_kind IS 'USAGE_POINT, or BALANCE_GROUP for the supply of a group.';
COMMENT ON COLUMN v_forecasts.subject_id IS 'Usage point or balance group.';
COMMENT ON COLUMN v_forecasts.resource IS 'What is metered.';
COMMENT ON COLUMN v_forecasts.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_forecasts.month_start IS 'Start of the first metering day of the month.';
COMMENT ON COLUMN v_forecasts.as_of IS 'Start of the last metering day that the forecast knows of.';
COMMENT ON COLUMN v_forecasts.used IS 'Used so far in base units, hours without a reading estimated.';
COMMENT ON COLUMN v_forecasts.expected IS 'Expected for the whole month in base units; null when not computable.';
COMMENT ON COLUMN v_forecasts.lowest IS 'Lower end of the interval made for 95 % of months; null when not computable.';
COMMENT ON COLUMN v_forecasts.highest IS 'Upper end of the interval made for 95 % of months; null when not computable.';
COMMENT ON COLUMN v_forecasts.days_known IS 'Days of the month of which all hours were read.';
COMMENT ON COLUMN v_forecasts.days_to_come IS 'Days of the month that are expected: those to come, and gaps that nothing tells of.';
COMMENT ON COLUMN v_forecasts.method IS 'MEASURED (nothing to come), DEGREE_DAYS (weather of past years), MEAN (of the last weeks) or NONE.';
COMMENT ON COLUMN v_forecasts.reason IS 'Why not computable: TOO_FEW_DAYS; null when computable.';
COMMENT ON COLUMN v_forecasts.version IS 'Rises with each change of this forecast.';
COMMENT ON COLUMN v_forecasts.algorithm_version IS 'Version of the computation.';
COMMENT ON COLUMN v_forecasts.settings_hash IS 'Hash of the settings that took part.';
COMMENT ON COLUMN v_forecasts.computed_at IS 'When this version was computed.';
COMMENT ON COLUMN v_forecasts.previous IS 'Figures of the version before, null the first time; its as_of in seconds since 1970.';
GRANT SELECT ON v_forecasts TO balance_reader;

CREATE TABLE forecast_subjects (
    subject_kind smallint NOT NULL,
    subject int NOT NULL,
    stamp text NOT NULL,
    PRIMARY KEY (subject_kind, subject)
);
COMMENT ON TABLE forecast_subjects IS 'What of the register takes part in forecasts, as it was when they were last marked by it.';
