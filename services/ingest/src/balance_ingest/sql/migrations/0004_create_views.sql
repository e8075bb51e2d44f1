CREATE VIEW v_readings AS
SELECT
    u.usage_point_id,
    d.day_start,
    d.day_start + (h.position - 1) * d.step_s * INTERVAL '1 s' AS start_at,
    d.day_start + h.position * d.step_s * INTERVAL '1 s' AS end_at,
    h.value,
    (ARRAY['UNSPECIFIED', 'VALID', 'ESTIMATED', 'EDITED', 'SUSPECT', 'MISSING'])[coalesce(h.quality, 1) + 1] AS quality,
    (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE'])[d.resource + 1] AS resource,
    CASE
        WHEN d.resource IN (1, 2, 3) THEN 'MILLILITRE'
        WHEN d.resource IN (4, 5) THEN 'WATT_HOUR'
        WHEN d.resource = 6 THEN 'MILLIDEGREE_CELSIUS'
        ELSE 'UNSPECIFIED'
    END AS unit,
    d.version
FROM reading_days d
JOIN usage_points u ON u.usage_point = d.usage_point
CROSS JOIN LATERAL unnest(d."values", d.qualities) WITH ORDINALITY AS h (value, quality, position)
WHERE d.qualities IS NULL OR NOT 5 = ALL (d.qualities);
COMMENT ON VIEW v_readings IS 'Hourly readings of usage points, validated, as they now stand (docs/domain.md §3). Bound day_start in every query.';
COMMENT ON COLUMN v_readings.usage_point_id IS 'Usage point.';
COMMENT ON COLUMN v_readings.day_start IS 'Start of the metering day. Bound this column in every query: a bound on start_at alone reads everything.';
COMMENT ON COLUMN v_readings.start_at IS 'Start of the hour.';
COMMENT ON COLUMN v_readings.end_at IS 'End of the hour, not included.';
COMMENT ON COLUMN v_readings.value IS 'Consumption, or mean temperature, in base units; null when SUSPECT or MISSING.';
COMMENT ON COLUMN v_readings.quality IS 'VALID, ESTIMATED, EDITED, SUSPECT or MISSING.';
COMMENT ON COLUMN v_readings.resource IS 'What is metered.';
COMMENT ON COLUMN v_readings.unit IS 'Base unit of value.';
COMMENT ON COLUMN v_readings.version IS 'Version of the reading day: rises with each change of it.';

CREATE FUNCTION readings("from" timestamptz, "to" timestamptz) RETURNS SETOF v_readings
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT * FROM ingest.v_readings r
    WHERE r.day_start > "from" - INTERVAL '25 hours' AND r.day_start < "to" AND r.start_at >= "from" AND r.start_at < "to"
$$;
COMMENT ON FUNCTION readings(timestamptz, timestamptz) IS
'Readings of the hours that start in [from, to), columns as in v_readings. Reads only the days of that span.';

CREATE VIEW v_findings AS
SELECT
    finding_id,
    version,
    CASE WHEN open THEN 'OPEN' ELSE 'WITHDRAWN' END AS state,
    rule,
    (ARRAY['UNSPECIFIED', 'INFORMATION', 'WARNING', 'ERROR'])[severity + 1] AS severity,
    usage_point_id,
    module_id,
    channel,
    concentrator_id,
    interval_start AS interval_start_at,
    interval_end AS interval_end_at,
    expected,
    found,
    message,
    element,
    changed_at
FROM findings;
COMMENT ON VIEW v_findings IS 'Findings of validation, those withdrawn too (docs/domain.md §3).';
COMMENT ON COLUMN v_findings.finding_id IS 'Identity: the same fact found again has the same id.';
COMMENT ON COLUMN v_findings.version IS 'Rises with each change.';
COMMENT ON COLUMN v_findings.state IS 'OPEN, or WITHDRAWN when later evidence or a correction explained it away.';
COMMENT ON COLUMN v_findings.rule IS 'Stable id of the rule, e.g. vee.sum_check.';
COMMENT ON COLUMN v_findings.severity IS 'INFORMATION, WARNING or ERROR; ERROR keeps values out of the balance.';
COMMENT ON COLUMN v_findings.usage_point_id IS 'Usage point, when it is about one.';
COMMENT ON COLUMN v_findings.module_id IS 'Radio module, when it is about one.';
COMMENT ON COLUMN v_findings.channel IS 'Channel of the module.';
COMMENT ON COLUMN v_findings.concentrator_id IS 'Concentrator that delivered it, when it is about a packet.';
COMMENT ON COLUMN v_findings.interval_start_at IS 'Start of the interval it is about.';
COMMENT ON COLUMN v_findings.interval_end_at IS 'End of the interval it is about.';
COMMENT ON COLUMN v_findings.expected IS 'What the rule expected, with units.';
COMMENT ON COLUMN v_findings.found IS 'What it found, with units.';
COMMENT ON COLUMN v_findings.message IS 'One sentence a person can act on.';
COMMENT ON COLUMN v_findings.element IS 'The refused element of a packet, as it came; null for other rules.';
COMMENT ON COLUMN v_findings.changed_at IS 'When this version was made.';

CREATE VIEW v_parked AS
SELECT
    c.module_id,
    c.channel,
    f.interval_start AS first_at,
    f.interval_end AS last_at
FROM channels c
JOIN findings f ON f.channel_id = c.channel_id AND f.open AND f.usage_point IS NULL
WHERE f.rule = 'vee.unknown_channel';
COMMENT ON VIEW v_parked IS 'Channels that send and that no usage point ever had fitted: their evidence is stored and counts when they are registered.';
COMMENT ON COLUMN v_parked.module_id IS 'Radio module.';
COMMENT ON COLUMN v_parked.channel IS 'Channel of the module.';
COMMENT ON COLUMN v_parked.first_at IS 'Start of the first day of its evidence.';
COMMENT ON COLUMN v_parked.last_at IS 'End of the last day of its evidence.';

GRANT SELECT ON v_readings, v_findings, v_parked TO balance_reader;
REVOKE ALL ON FUNCTION readings(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readings(timestamptz, timestamptz) TO balance_reader;
