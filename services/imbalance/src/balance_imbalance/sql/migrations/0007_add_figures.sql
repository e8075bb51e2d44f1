-- A key of a group-day begins with a word: its topic has other records now. What is unsent is of group-days alone.
UPDATE outbox SET keys = (SELECT jsonb_agg('["group-day"]'::jsonb || k) FROM jsonb_array_elements(keys) AS k);

-- Names of the numbers that tables hold, by the contract.
CREATE FUNCTION resource_name(resource int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE', 'SENSOR'])[resource + 1];

CREATE FUNCTION unit_name(resource int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN resource IN (1, 2, 3) THEN 'MILLILITRE'
    WHEN resource IN (4, 5) THEN 'WATT_HOUR'
    WHEN resource = 6 THEN 'MILLIDEGREE_CELSIUS'
    WHEN resource = 7 THEN 'THOUSANDTH'
    ELSE 'UNSPECIFIED'
END;

CREATE FUNCTION coverage_name(coverage int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (ARRAY['UNSPECIFIED', 'COMPLETE', 'ESTIMATED', 'UNRELIABLE', 'NOT_COMPUTABLE'])[coverage + 1];

CREATE FUNCTION verdict_name(verdict int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (ARRAY['UNSPECIFIED', 'WITHIN_TOLERANCE', 'LOSS', 'SURPLUS', 'UNDECIDED'])[verdict + 1];

CREATE FUNCTION problem_names(problems smallint[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
    SELECT (ARRAY['NO_SUPPLY', 'NO_MEMBER', 'OVERLAPPING_MEMBERSHIP', 'NESTED_CYCLE', 'UNKNOWN_GROUP'])[p]
    FROM unnest(problems) WITH ORDINALITY AS u (p, position) ORDER BY position
);
COMMENT ON FUNCTION unit_name(int) IS 'Base unit of what is metered, by the resource.';

CREATE TABLE rules_in_force (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    unreliable_share_ppm int NOT NULL,
    heating_base int NOT NULL,
    least_homes int NOT NULL
);
INSERT INTO rules_in_force (unreliable_share_ppm, heating_base, least_homes) VALUES (300000, 16000, 5);
COMMENT ON TABLE rules_in_force IS 'What views must know of the settings, as the worker wrote it when it started.';
COMMENT ON COLUMN rules_in_force.unreliable_share_ppm IS 'Share of the estimated above which a longer span is UNRELIABLE, millionths.';
COMMENT ON COLUMN rules_in_force.heating_base IS 'Outdoor temperature below which buildings are heated, thousandths of a degree.';
COMMENT ON COLUMN rules_in_force.least_homes IS 'How many like homes must count on a day to make something expected.';

ALTER TABLE group_days ADD COLUMN month date;
ALTER TABLE group_days ADD COLUMN unregistered bigint NOT NULL DEFAULT 0;
ALTER TABLE group_days ADD COLUMN imbalance_lowest bigint;
ALTER TABLE group_days ADD COLUMN imbalance_highest bigint;
ALTER TABLE group_days ADD COLUMN members_estimated bigint NOT NULL DEFAULT 0;
ALTER TABLE group_days ADD COLUMN hour_unregistered bigint[];
ALTER TABLE group_days ADD COLUMN hour_imbalance_lowest bigint[];
ALTER TABLE group_days ADD COLUMN hour_imbalance_highest bigint[];
ALTER TABLE group_days ADD COLUMN hour_members_estimated bigint[];
ALTER TABLE group_days ADD COLUMN hour_u double precision[] NOT NULL DEFAULT '{}';
ALTER TABLE group_days ADD COLUMN night_hours smallint;
ALTER TABLE group_days ADD COLUMN night_supply bigint;
ALTER TABLE group_days ADD COLUMN night_members bigint;
ALTER TABLE group_days ADD COLUMN night_imbalance bigint;
ALTER TABLE group_days ADD COLUMN base_supply bigint;
ALTER TABLE group_days ADD COLUMN base_members bigint;
ALTER TABLE group_days ADD COLUMN base_imbalance bigint;
ALTER TABLE group_days ADD COLUMN base_tolerance bigint;
ALTER TABLE group_days ADD COLUMN base_verdict smallint;
ALTER TABLE group_days ADD COLUMN u_estimate_first double precision;
ALTER TABLE group_days ADD COLUMN u_estimate_inside double precision;
ALTER TABLE group_days ADD COLUMN u_estimate_last double precision;
ALTER TABLE group_days ADD COLUMN u_clock double precision;
ALTER TABLE group_days ADD COLUMN clock_s int NOT NULL DEFAULT 180;
ALTER TABLE group_days ADD COLUMN supply_first bigint;
ALTER TABLE group_days ADD COLUMN supply_last bigint;
ALTER TABLE group_days ADD COLUMN unmetered int[] NOT NULL DEFAULT '{}';
ALTER TABLE group_days ADD COLUMN not_reported int[];
ALTER TABLE group_days ADD COLUMN silent int[] NOT NULL DEFAULT '{}';
ALTER TABLE group_days ADD COLUMN gap_from_start int[] NOT NULL DEFAULT '{}';
ALTER TABLE group_days ADD COLUMN gap_to_end int[] NOT NULL DEFAULT '{}';
ALTER TABLE group_days ADD COLUMN problems smallint[] NOT NULL DEFAULT '{}';
ALTER TABLE group_days ADD COLUMN is_recomputation boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN group_days.month IS 'First day of the calendar month that the metering day is of; null until computed by version 2.';
COMMENT ON COLUMN group_days.unregistered IS 'What idle meters may have passed below their starting flow, of the day; a loss must exceed the tolerance by more.';
COMMENT ON COLUMN group_days.imbalance_lowest IS 'The day''s imbalance had every missing member used its usual maximum; null without an imbalance.';
COMMENT ON COLUMN group_days.imbalance_highest IS 'The day''s imbalance had every missing member used nothing; null without an imbalance.';
COMMENT ON COLUMN group_days.members_estimated IS 'Part of the day''s members that is estimated.';
COMMENT ON COLUMN group_days.hour_unregistered IS 'unregistered by hour; null when all are 0.';
COMMENT ON COLUMN group_days.hour_imbalance_lowest IS 'imbalance_lowest by hour; null when every member reported every hour: then it is the imbalance.';
COMMENT ON COLUMN group_days.hour_imbalance_highest IS 'imbalance_highest by hour; null when every member reported every hour: then it is the imbalance.';
COMMENT ON COLUMN group_days.hour_members_estimated IS 'Estimated part of the members by hour; null when every member reported every hour.';
COMMENT ON COLUMN group_days.hour_u IS 'Standard uncertainty by hour without the term of clocks, 0 where not computable: hours of a longer span add linearly.';
COMMENT ON COLUMN group_days.night_hours IS 'Hours from 02:00 to before 04:00 local time; null on a day without any.';
COMMENT ON COLUMN group_days.night_supply IS 'Supply in these hours; null when one of them is not computable.';
COMMENT ON COLUMN group_days.night_members IS 'Members in these hours, missing ones estimated.';
COMMENT ON COLUMN group_days.night_imbalance IS 'Imbalance in these hours; null when one of them is not computable.';
COMMENT ON COLUMN group_days.base_supply IS 'Supply of the day at base temperature; the base columns are null for all but gas and without temperatures.';
COMMENT ON COLUMN group_days.base_members IS 'Members of the day at base temperature.';
COMMENT ON COLUMN group_days.base_imbalance IS 'Imbalance of the day at base temperature.';
COMMENT ON COLUMN group_days.base_tolerance IS 'Tolerance of the day at base temperature, with the uncertainty of the temperature.';
COMMENT ON COLUMN group_days.base_verdict IS 'Verdict of the day at base temperature.';
COMMENT ON COLUMN group_days.u_estimate IS 'Standard uncertainty by estimates, of the day as a span of its own: ESTIMATED hours that touch an edge of the day count.';
COMMENT ON COLUMN group_days.u_estimate_first IS 'u_estimate of the first day of a longer span: ESTIMATED hours that touch the end of the day do not count.';
COMMENT ON COLUMN group_days.u_estimate_inside IS 'u_estimate of a day inside a longer span: no ESTIMATED hour counts, only hours without a value.';
COMMENT ON COLUMN group_days.u_estimate_last IS 'u_estimate of the last day of a longer span: ESTIMATED hours that touch the start of the day do not count.';
COMMENT ON COLUMN group_days.u_clock IS 'Standard uncertainty by clocks, of the day as a span of its own; null without a tolerance, as are all of these.';
COMMENT ON COLUMN group_days.clock_s IS 'What clocks may differ by in seconds, as this day was computed: a longer span takes clock_s / 3600 of supply_last - supply_first.';
COMMENT ON COLUMN group_days.supply_first IS 'Supply of the day''s first hour, ESTIMATED hours included; null without a tolerance.';
COMMENT ON COLUMN group_days.supply_last IS 'Supply of the day''s last hour, ESTIMATED hours included; null without a tolerance.';
COMMENT ON COLUMN group_days.unmetered IS 'Of the missing those silent for so long that they count as unmetered, ascending.';
COMMENT ON COLUMN group_days.not_reported IS 'Usage points with an hour not reported, ascending: their past takes part in the figures; null when they are those missing.';
COMMENT ON COLUMN group_days.silent IS 'Usage points with an hour without a value, ascending.';
COMMENT ON COLUMN group_days.gap_from_start IS 'Usage points whose run of ESTIMATED hours touches the first hour of the day, ascending.';
COMMENT ON COLUMN group_days.gap_to_end IS 'Usage points whose run of ESTIMATED hours touches the last hour of the day, ascending.';
COMMENT ON COLUMN group_days.problems IS 'Problems of the register by their numbers in the contract (1 NO_SUPPLY … 5 UNKNOWN_GROUP), ascending.';
COMMENT ON COLUMN group_days.is_recomputation IS 'This version was computed because rules or settings changed.';

DROP VIEW v_group_hours;
DROP VIEW v_group_days;
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
    d.unregistered,
    d.imbalance_lowest,
    d.imbalance_highest,
    coverage_name(d.coverage) AS coverage,
    verdict_name(d.verdict) AS verdict,
    d.members_due,
    d.members_reported,
    d.missing_share_ppm / 1e6::double precision AS missing_share,
    d.members_estimated,
    ARRAY(
        SELECT u.usage_point_id FROM usage_points u WHERE u.usage_point = ANY (d.missing) ORDER BY u.usage_point_id COLLATE "C"
    ) AS missing_usage_points,
    ARRAY(
        SELECT u.usage_point_id FROM usage_points u WHERE u.usage_point = ANY (d.unmetered) ORDER BY u.usage_point_id COLLATE "C"
    ) AS unmetered_usage_points,
    d.night_hours,
    d.night_supply,
    d.night_members,
    d.night_imbalance,
    d.base_supply,
    d.base_members,
    d.base_imbalance,
    d.base_tolerance,
    verdict_name(d.base_verdict) AS base_verdict,
    problem_names(d.problems) AS problems,
    d.month,
    resource_name(g.resource) AS resource,
    unit_name(g.resource) AS unit,
    d.u_supply_class,
    d.u_members_class,
    d.u_pulse,
    d.u_estimate,
    d.u_clock,
    d.version,
    d.algorithm_version,
    d.settings_hash,
    d.computed_at,
    d.is_recomputation,
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
COMMENT ON COLUMN v_group_days.unit IS 'Unit of every quantity of the row: its base unit.';
COMMENT ON COLUMN v_group_days.u_supply_class IS 'Standard uncertainty by the class of the supply meters, base units.';
COMMENT ON COLUMN v_group_days.u_members_class IS 'Standard uncertainty by the class of the members'' meters, base units.';
COMMENT ON COLUMN v_group_days.u_pulse IS 'Standard uncertainty by the size of a pulse, base units; enters a longer span once.';
COMMENT ON COLUMN v_group_days.u_estimate IS 'Standard uncertainty by estimates, base units.';
COMMENT ON COLUMN v_group_days.version IS 'Rises with each change of this group-day.';
COMMENT ON COLUMN v_group_days.algorithm_version IS 'Version of the computation.';
COMMENT ON COLUMN v_group_days.settings_hash IS 'Hash of the settings that took part.';
COMMENT ON COLUMN v_group_days.computed_at IS 'When this version was computed.';
COMMENT ON COLUMN v_group_days.previous IS 'Figures of the version before, null the first time.';
COMMENT ON COLUMN v_group_days.unregistered IS 'What idle meters may have passed below their starting flow, base units: a loss exceeds the tolerance by more.';
COMMENT ON COLUMN v_group_days.imbalance_lowest IS 'The imbalance had every missing member used its usual maximum, base units; null when not computable.';
COMMENT ON COLUMN v_group_days.imbalance_highest IS 'The imbalance had every missing member used nothing, base units; null when not computable.';
COMMENT ON COLUMN v_group_days.members_estimated IS 'Part of members that is estimated, base units.';
COMMENT ON COLUMN v_group_days.is_recomputation IS 'This version was computed because rules or settings changed: no news.';
COMMENT ON COLUMN v_group_days.unmetered_usage_points IS 'Of the missing those silent for so long that they count as unmetered, sorted.';
COMMENT ON COLUMN v_group_days.night_hours IS 'Hours from 02:00 to before 04:00 local time; null on a day without any.';
COMMENT ON COLUMN v_group_days.night_supply IS 'Supply in these hours, base units; null when one of them is not computable.';
COMMENT ON COLUMN v_group_days.night_members IS 'Members in these hours, base units, missing ones estimated.';
COMMENT ON COLUMN v_group_days.night_imbalance IS 'Imbalance in these hours, base units; null when one of them is not computable.';
COMMENT ON COLUMN v_group_days.base_supply IS 'Supply at base temperature, base units; null but for gas, and without temperatures.';
COMMENT ON COLUMN v_group_days.base_members IS 'Members at base temperature, base units; null as base_supply.';
COMMENT ON COLUMN v_group_days.base_imbalance IS 'base_supply - base_members, base units; null as base_supply.';
COMMENT ON COLUMN v_group_days.base_tolerance IS 'Expanded uncertainty (k = 2) of base_imbalance, that of the temperature included, base units; null as base_supply.';
COMMENT ON COLUMN v_group_days.base_verdict IS 'WITHIN_TOLERANCE, LOSS, SURPLUS or UNDECIDED at base temperature; null as base_supply.';
COMMENT ON COLUMN v_group_days.problems IS 'What of the register to look at: NO_SUPPLY, NO_MEMBER, OVERLAPPING_MEMBERSHIP, NESTED_CYCLE, UNKNOWN_GROUP.';
COMMENT ON COLUMN v_group_days.month IS 'First day of the calendar month that the metering day is of; null until computed by version 2.';
COMMENT ON COLUMN v_group_days.u_clock IS 'Standard uncertainty by what clocks may differ, base units.';

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
    coalesce(h.unregistered, 0) AS unregistered,
    coalesce(h.imbalance_lowest, h.imbalance) AS imbalance_lowest,
    coalesce(h.imbalance_highest, h.imbalance) AS imbalance_highest,
    coverage_name(h.coverage) AS coverage,
    verdict_name(h.verdict) AS verdict,
    h.members_due,
    h.members_reported,
    h.missing_share_ppm / 1e6::double precision AS missing_share,
    coalesce(h.members_estimated, 0) AS members_estimated,
    resource_name(g.resource) AS resource,
    unit_name(g.resource) AS unit,
    d.version,
    d.computed_at,
    d.is_recomputation
FROM group_days d
JOIN groups g USING (balance_group)
CROSS JOIN LATERAL unnest(
    d.hour_supply, d.hour_members, d.hour_imbalance, d.hour_tolerance, d.hour_coverage, d.hour_verdict,
    d.hour_members_due, d.hour_members_reported, d.hour_missing_share_ppm, d.hour_unregistered,
    d.hour_imbalance_lowest, d.hour_imbalance_highest, d.hour_members_estimated
) WITH ORDINALITY AS h (
    supply, members, imbalance, tolerance, coverage, verdict, members_due, members_reported, missing_share_ppm, unregistered,
    imbalance_lowest, imbalance_highest, members_estimated, position
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
COMMENT ON COLUMN v_group_hours.unit IS 'Unit of every quantity of the row: its base unit.';
COMMENT ON COLUMN v_group_hours.version IS 'Version of the group-day it belongs to.';
COMMENT ON COLUMN v_group_hours.computed_at IS 'When this version was computed.';
COMMENT ON COLUMN v_group_hours.unregistered IS 'What idle meters may have passed below their starting flow, base units: a loss exceeds the tolerance by more.';
COMMENT ON COLUMN v_group_hours.imbalance_lowest IS 'The imbalance had every missing member used its usual maximum, base units; null when not computable.';
COMMENT ON COLUMN v_group_hours.imbalance_highest IS 'The imbalance had every missing member used nothing, base units; null when not computable.';
COMMENT ON COLUMN v_group_hours.members_estimated IS 'Part of members that is estimated, base units.';
COMMENT ON COLUMN v_group_hours.is_recomputation IS 'This version was computed because rules or settings changed: no news.';

GRANT SELECT ON v_group_days, v_group_hours TO balance_reader;
