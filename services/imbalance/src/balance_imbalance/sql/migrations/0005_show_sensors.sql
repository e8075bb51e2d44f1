-- The views know groups of every resource that the contract has.
CREATE OR REPLACE VIEW v_group_days AS
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
    (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE', 'SENSOR'])[g.resource + 1] AS resource,
    CASE
        WHEN g.resource IN (1, 2, 3) THEN 'MILLILITRE'
        WHEN g.resource IN (4, 5) THEN 'WATT_HOUR'
        WHEN g.resource = 6 THEN 'MILLIDEGREE_CELSIUS'
        WHEN g.resource = 7 THEN 'THOUSANDTH'
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

CREATE OR REPLACE VIEW v_group_hours AS
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
    (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE', 'SENSOR'])[g.resource + 1] AS resource,
    CASE
        WHEN g.resource IN (1, 2, 3) THEN 'MILLILITRE'
        WHEN g.resource IN (4, 5) THEN 'WATT_HOUR'
        WHEN g.resource = 6 THEN 'MILLIDEGREE_CELSIUS'
        WHEN g.resource = 7 THEN 'THOUSANDTH'
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
