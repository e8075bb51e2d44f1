CREATE TABLE sensor_kinds (
    code text PRIMARY KEY,
    name text NOT NULL,
    quantity text NOT NULL,
    unit text NOT NULL,
    least bigint NOT NULL,
    greatest bigint NOT NULL,
    accuracy text NOT NULL,
    lower_limit bigint,
    upper_limit bigint,
    experimental boolean NOT NULL,
    source text NOT NULL,
    CHECK (least < greatest)
);
COMMENT ON TABLE sensor_kinds IS 'Kinds of sensor, as in the file that comes with the service; its rows are replaced when the file differs.';

CREATE INDEX findings_of_kinds ON findings (usage_point_id) WHERE open AND rule = 'vee.unknown_sensor_kind';

ALTER TABLE usage_points ADD COLUMN sensor_kind text;
COMMENT ON COLUMN usage_points.sensor_kind IS 'Kind of sensor as the register says it; null for meters, and when it says none.';

ALTER TABLE reading_days ADD COLUMN minima bigint[];
ALTER TABLE reading_days ADD COLUMN maxima bigint[];
ALTER TABLE reading_days ADD COLUMN sensor_kind text;
COMMENT ON COLUMN reading_days.minima IS 'Least value by hour of a sensor that keeps it; null when no hour has one.';
COMMENT ON COLUMN reading_days.maxima IS 'Greatest value by hour, likewise.';
COMMENT ON COLUMN reading_days.sensor_kind IS 'Kind of sensor; null for meters and for thermometers of kind 01.';

CREATE OR REPLACE VIEW v_readings AS
SELECT
    u.usage_point_id,
    d.day_start,
    d.day_start + (h.position - 1) * d.step_s * INTERVAL '1 s' AS start_at,
    d.day_start + h.position * d.step_s * INTERVAL '1 s' AS end_at,
    h.value,
    (ARRAY['UNSPECIFIED', 'VALID', 'ESTIMATED', 'EDITED', 'SUSPECT', 'MISSING'])[coalesce(h.quality, 1) + 1] AS quality,
    (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE', 'SENSOR'])[d.resource + 1] AS resource,
    CASE
        WHEN d.resource IN (1, 2, 3) THEN 'MILLILITRE'
        WHEN d.resource IN (4, 5) THEN 'WATT_HOUR'
        WHEN d.resource = 6 THEN 'MILLIDEGREE_CELSIUS'
        WHEN d.resource = 7 THEN 'THOUSANDTH'
        ELSE 'UNSPECIFIED'
    END AS unit,
    d.version,
    h.minimum,
    h.maximum,
    CASE WHEN d.resource = 6 THEN coalesce(d.sensor_kind, '01') ELSE d.sensor_kind END AS sensor_kind
FROM reading_days d
JOIN usage_points u ON u.usage_point = d.usage_point
CROSS JOIN LATERAL unnest(d."values", d.qualities, d.minima, d.maxima)
    WITH ORDINALITY AS h (value, quality, minimum, maximum, position)
WHERE d.qualities IS NULL OR NOT 5 = ALL (d.qualities);
COMMENT ON COLUMN v_readings.value IS 'Consumption, or the mean of a sensor, in base units; null when SUSPECT or MISSING.';
COMMENT ON COLUMN v_readings.unit IS 'Base unit of value; THOUSANDTH: of the unit of the sensor kind.';
COMMENT ON COLUMN v_readings.minimum IS 'Least value within the hour, of a sensor that keeps it.';
COMMENT ON COLUMN v_readings.maximum IS 'Greatest value within the hour, of a sensor that keeps it.';
COMMENT ON COLUMN v_readings.sensor_kind IS 'Kind of sensor (v_sensor_kinds); null for meters.';

CREATE VIEW v_sensor_kinds AS
SELECT code, name, quantity, unit, least, greatest, accuracy, lower_limit, upper_limit, experimental, source FROM sensor_kinds;
COMMENT ON VIEW v_sensor_kinds IS 'Kinds of sensor: unit, range, accuracy and default limits (docs/sensor-kinds.md).';
COMMENT ON COLUMN v_sensor_kinds.code IS 'Code of the kind, as on the data logger or in the register.';
COMMENT ON COLUMN v_sensor_kinds.name IS 'What it is.';
COMMENT ON COLUMN v_sensor_kinds.quantity IS 'What it measures.';
COMMENT ON COLUMN v_sensor_kinds.unit IS 'Unit; values, range and limits are thousandths of it.';
COMMENT ON COLUMN v_sensor_kinds.least IS 'Least value it can mean.';
COMMENT ON COLUMN v_sensor_kinds.greatest IS 'Greatest value it can mean.';
COMMENT ON COLUMN v_sensor_kinds.accuracy IS 'Accuracy in words.';
COMMENT ON COLUMN v_sensor_kinds.lower_limit IS 'Default alarm limit: a value below it tells; null for none.';
COMMENT ON COLUMN v_sensor_kinds.upper_limit IS 'Default alarm limit: a value above it tells; null for none.';
COMMENT ON COLUMN v_sensor_kinds.experimental IS 'Not yet a product: nothing should depend on it alone.';
COMMENT ON COLUMN v_sensor_kinds.source IS 'Where range, accuracy and limits come from.';

-- Whether a channel measures is not said by its evidence: channel 0 does, and one that has channels for minima and maxima.
CREATE VIEW v_measurements AS
SELECT DISTINCT ON (c.module_id, c.channel, e.day_start, h.hour)
    c.module_id,
    c.channel,
    e.day_start,
    e.day_start + h.hour * INTERVAL '1 h' AS start_at,
    e.day_start + (h.hour + 1) * INTERVAL '1 h' AS end_at,
    e.step_s,
    h.average,
    h.minimum,
    h.maximum
FROM channels c
JOIN evidence_days e ON e.channel_id = c.channel_id AND e.step_s > 0
LEFT JOIN channels lc ON lc.module_id = c.module_id AND lc.channel = c.channel + 16
LEFT JOIN channels gc ON gc.module_id = c.module_id AND gc.channel = c.channel + 32
LEFT JOIN LATERAL (
    SELECT l."values", l.conflicts FROM evidence_days l
    WHERE l.channel_id = lc.channel_id AND l.day_start = e.day_start AND l.step_s = e.step_s LIMIT 1
) least ON true
LEFT JOIN LATERAL (
    SELECT g."values", g.conflicts FROM evidence_days g
    WHERE g.channel_id = gc.channel_id AND g.day_start = e.day_start AND g.step_s = e.step_s LIMIT 1
) greatest ON true
CROSS JOIN LATERAL (
    SELECT
        ((s.position - 1) * e.step_s / 3600)::int AS hour,
        CASE WHEN count(s.other) = 0 THEN floor((2 * sum(s.value) + count(*))::numeric / (2 * count(*)))::bigint END AS average,
        CASE WHEN count(s.low) = count(*) AND count(s.other_low) = 0 THEN min(s.low) END AS minimum,
        CASE WHEN count(s.high) = count(*) AND count(s.other_high) = 0 THEN max(s.high) END AS maximum
    FROM unnest(e."values", e.conflicts, least."values", least.conflicts, greatest."values", greatest.conflicts)
        WITH ORDINALITY AS s (value, other, low, other_low, high, other_high, position)
    GROUP BY 1
    HAVING count(s.value) = 3600 / e.step_s
) h
WHERE c.channel BETWEEN 0 AND 15 AND (c.channel = 0 OR lc.channel_id IS NOT NULL)
ORDER BY c.module_id, c.channel, e.day_start, h.hour, e.step_s;
COMMENT ON VIEW v_measurements IS
'What sensors said, by module channel and hour, whether a usage point has them or not; not judged. Bound day_start in every query.';
COMMENT ON COLUMN v_measurements.module_id IS 'Data logger or radio module.';
COMMENT ON COLUMN v_measurements.channel IS 'Channel of the module; 0 is its thermometer.';
COMMENT ON COLUMN v_measurements.day_start IS 'Start of the metering day. Bound this column in every query: a bound on start_at alone reads everything.';
COMMENT ON COLUMN v_measurements.start_at IS 'Start of the hour.';
COMMENT ON COLUMN v_measurements.end_at IS 'End of the hour, not included.';
COMMENT ON COLUMN v_measurements.step_s IS 'Length of the intervals that the hour is made of, in seconds.';
COMMENT ON COLUMN v_measurements.average IS 'Mean in thousandths of the sensor''s unit; null when two reports differ.';
COMMENT ON COLUMN v_measurements.minimum IS 'Least value within the hour; null when the device keeps none, or two reports differ.';
COMMENT ON COLUMN v_measurements.maximum IS 'Greatest value within the hour, likewise.';

GRANT SELECT ON v_sensor_kinds, v_measurements TO balance_reader;
