CREATE VIEW v_group_days AS
SELECT
    g.group_id,
    g.name,
    d.day_start,
    d.day_start AS start_at,
    d.day_start + cardinality(d.hour_coverage) * d.step_s * INTERVAL '1 s' AS end_at,
    d.supply,
    d.members,
    d.imbalance,
    CASE WHEN d.supply > 10 * d.supply_pulse THEN d.imbalance::double precision / d.supply END AS relative_imbalance,
    d.tolerance,
    (ARRAY['UNSPECIFIED', 'COMPLETE', 'ESTIMATED', 'UNRELIABLE', 'NOT_COMPUTABLE'])[d.coverage + 1] AS coverage,
    (ARRAY['UNSPECIFIED', 'WITHIN_TOLERANCE', 'LOSS', 'SURPLUS', 'UNDECIDED'])[d.verdict + 1] AS verdict,
    d.members_due,
    d.members_reported,
    d.missing_share_ppm / 1e6::double precision AS missing_share,
    ARRAY(
        SELECT u.usage_point_id FROM usage_points u WHERE u.usage_point = ANY (d.missing) ORDER BY u.usage_point_id COLLATE "C"
    ) AS missing_usage_points,
    (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE'])[g.resource + 1] AS resource,
    CASE
        WHEN g.resource IN (1, 2, 3) THEN 'MILLILITRE'
        WHEN g.resource IN (4, 5) THEN 'WATT_HOUR'
        WHEN g.resource = 6 THEN 'MILLIDEGREE_CELSIUS'
        ELSE 'UNSPECIFIED'
    END AS unit,
    d.u_supply_class,
    d.u_members_class,
    d.u_pulse,
    d.u_estimate,
    d.version,
    d.algorithm_version,
    d.settings_hash,
    d.computed_at,
    d.previous
FROM group_days d
JOIN groups g USING (balance_group)
WHERE NOT d.withdrawn;

COMMENT ON VIEW v_group_days IS 'Imbalance of balance groups by metering day, one row a group and day (docs/domain.md §4).';
COMMENT ON COLUMN v_group_days.group_id IS 'Balance group.';
COMMENT ON COLUMN v_group_days.name IS 'What people call the group.';
COMMENT ON COLUMN v_group_days.day_start IS 'Start of the metering day. Bound this column in every query: the table is cut by it.';
COMMENT ON COLUMN v_group_days.start_at IS 'Start of the span: that of the day.';
COMMENT ON COLUMN v_group_days.end_at IS 'End of the span, not included.';
COMMENT ON COLUMN v_group_days.supply IS 'Sum of the supply meters in base units; null when one is missing.';
COMMENT ON COLUMN v_group_days.members IS 'Sum of the members in base units, missing ones estimated.';
COMMENT ON COLUMN v_group_days.imbalance IS 'supply - members in base units; null when not computable.';
COMMENT ON COLUMN v_group_days.relative_imbalance IS 'imbalance / supply; null when the supply is 10 pulses or less.';
COMMENT ON COLUMN v_group_days.tolerance IS 'Expanded uncertainty (k = 2) of the imbalance in base units; null when not computable.';
COMMENT ON COLUMN v_group_days.coverage IS 'COMPLETE, ESTIMATED, UNRELIABLE or NOT_COMPUTABLE.';
COMMENT ON COLUMN v_group_days.verdict IS 'WITHIN_TOLERANCE, LOSS, SURPLUS or UNDECIDED.';
COMMENT ON COLUMN v_group_days.members_due IS 'Members that belong to the group that day.';
COMMENT ON COLUMN v_group_days.members_reported IS 'Members that reported all of their hours.';
COMMENT ON COLUMN v_group_days.missing_share IS 'Share of consumption the missing stand for, 0 to 1.';
COMMENT ON COLUMN v_group_days.missing_usage_points IS 'Members and supply meters that did not report all of their hours, sorted.';
COMMENT ON COLUMN v_group_days.resource IS 'What is metered.';
COMMENT ON COLUMN v_group_days.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_group_days.u_supply_class IS 'Standard uncertainty by the class of the supply meters, base units.';
COMMENT ON COLUMN v_group_days.u_members_class IS 'Standard uncertainty by the class of the members'' meters, base units.';
COMMENT ON COLUMN v_group_days.u_pulse IS 'Standard uncertainty by the size of a pulse, base units; enters a longer span once.';
COMMENT ON COLUMN v_group_days.u_estimate IS 'Standard uncertainty by the estimates of missing members, base units.';
COMMENT ON COLUMN v_group_days.version IS 'Rises with each change of this group-day.';
COMMENT ON COLUMN v_group_days.algorithm_version IS 'Version of the computation.';
COMMENT ON COLUMN v_group_days.settings_hash IS 'Hash of the settings that took part.';
COMMENT ON COLUMN v_group_days.computed_at IS 'When this version was computed.';
COMMENT ON COLUMN v_group_days.previous IS 'Figures of the version before, null the first time.';

CREATE VIEW v_group_hours AS
SELECT
    g.group_id,
    g.name,
    d.day_start,
    d.day_start + (h.position - 1) * d.step_s * INTERVAL '1 s' AS start_at,
    d.day_start + h.position * d.step_s * INTERVAL '1 s' AS end_at,
    h.supply,
    h.members,
    h.imbalance,
    CASE WHEN h.supply > 10 * d.supply_pulse THEN h.imbalance::double precision / h.supply END AS relative_imbalance,
    h.tolerance,
    (ARRAY['UNSPECIFIED', 'COMPLETE', 'ESTIMATED', 'UNRELIABLE', 'NOT_COMPUTABLE'])[h.coverage + 1] AS coverage,
    (ARRAY['UNSPECIFIED', 'WITHIN_TOLERANCE', 'LOSS', 'SURPLUS', 'UNDECIDED'])[h.verdict + 1] AS verdict,
    h.members_due,
    h.members_reported,
    h.missing_share_ppm / 1e6::double precision AS missing_share,
    (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE'])[g.resource + 1] AS resource,
    CASE
        WHEN g.resource IN (1, 2, 3) THEN 'MILLILITRE'
        WHEN g.resource IN (4, 5) THEN 'WATT_HOUR'
        WHEN g.resource = 6 THEN 'MILLIDEGREE_CELSIUS'
        ELSE 'UNSPECIFIED'
    END AS unit,
    d.version,
    d.computed_at
FROM group_days d
JOIN groups g USING (balance_group)
CROSS JOIN LATERAL unnest(
    d.hour_supply, d.hour_members, d.hour_imbalance, d.hour_tolerance, d.hour_coverage, d.hour_verdict,
    d.hour_members_due, d.hour_members_reported, d.hour_missing_share_ppm
) WITH ORDINALITY AS h (
    supply, members, imbalance, tolerance, coverage, verdict, members_due, members_reported, missing_share_ppm, position
)
WHERE NOT d.withdrawn;

COMMENT ON VIEW v_group_hours IS 'Imbalance of balance groups by hour, one row a group and hour (docs/domain.md §4).';
COMMENT ON COLUMN v_group_hours.group_id IS 'Balance group.';
COMMENT ON COLUMN v_group_hours.name IS 'What people call the group.';
COMMENT ON COLUMN v_group_hours.day_start IS 'Start of the metering day. Bound this column in every query: a bound on start_at alone reads everything.';
COMMENT ON COLUMN v_group_hours.start_at IS 'Start of the hour.';
COMMENT ON COLUMN v_group_hours.end_at IS 'End of the hour, not included.';
COMMENT ON COLUMN v_group_hours.supply IS 'Sum of the supply meters in base units; null when one is missing.';
COMMENT ON COLUMN v_group_hours.members IS 'Sum of the members in base units, missing ones estimated.';
COMMENT ON COLUMN v_group_hours.imbalance IS 'supply - members in base units; null when not computable.';
COMMENT ON COLUMN v_group_hours.relative_imbalance IS 'imbalance / supply; null when the supply is 10 pulses or less.';
COMMENT ON COLUMN v_group_hours.tolerance IS 'Expanded uncertainty (k = 2) of the imbalance in base units; null when not computable.';
COMMENT ON COLUMN v_group_hours.coverage IS 'COMPLETE, ESTIMATED, UNRELIABLE or NOT_COMPUTABLE.';
COMMENT ON COLUMN v_group_hours.verdict IS 'WITHIN_TOLERANCE, LOSS, SURPLUS or UNDECIDED.';
COMMENT ON COLUMN v_group_hours.members_due IS 'Members that belong to the group in that hour.';
COMMENT ON COLUMN v_group_hours.members_reported IS 'Members that reported it.';
COMMENT ON COLUMN v_group_hours.missing_share IS 'Share of the day''s consumption the missing stand for, 0 to 1.';
COMMENT ON COLUMN v_group_hours.resource IS 'What is metered.';
COMMENT ON COLUMN v_group_hours.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_group_hours.version IS 'Version of the group-day it belongs to.';
COMMENT ON COLUMN v_group_hours.computed_at IS 'When this version was computed.';

GRANT SELECT ON v_group_days, v_group_hours TO balance_reader;
