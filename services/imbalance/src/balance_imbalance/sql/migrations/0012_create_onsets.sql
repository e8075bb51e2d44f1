-- Onset and hourly alarm of groups (docs/domain.md §8).
CREATE TABLE onset_days (
    balance_group int NOT NULL,
    day_start timestamptz NOT NULL,
    state jsonb NOT NULL,
    settings_hash text NOT NULL,
    PRIMARY KEY (balance_group, day_start)
);
COMMENT ON TABLE onset_days IS 'What the days up to one mean for those after it, so that a new day need not be preceded by all others.';
COMMENT ON COLUMN onset_days.state IS 'Regime, sums, open onsets and the open alarm after this day.';

CREATE TABLE group_onsets (
    balance_group int NOT NULL,
    alarmed_day timestamptz NOT NULL,
    side smallint NOT NULL,
    since_day timestamptz NOT NULL,
    ended_day timestamptz,
    size_per_day bigint NOT NULL,
    size_per_hour bigint NOT NULL,
    baseline_constant bigint NOT NULL,
    baseline_slope_ppm int NOT NULL,
    baseline_spread_ppm int NOT NULL,
    baseline_days int NOT NULL,
    withdrawn boolean NOT NULL,
    is_recomputation boolean NOT NULL,
    version bigint NOT NULL,
    algorithm_version int NOT NULL,
    settings_hash text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (balance_group, alarmed_day)
);
COMMENT ON TABLE group_onsets IS 'Changes of a group''s imbalance by its own days, known by group and day of the alarm.';
COMMENT ON COLUMN group_onsets.side IS '1 RISE, 2 FALL.';
COMMENT ON COLUMN group_onsets.withdrawn IS 'Later data explained it away: kept for its version, shown nowhere.';
COMMENT ON COLUMN group_onsets.is_recomputation IS 'Last changed because rules or settings did: nobody is alarmed by it.';

CREATE TABLE group_hour_alarms (
    balance_group int NOT NULL,
    start_at timestamptz NOT NULL,
    ended_at timestamptz,
    hours_above int NOT NULL,
    excess_per_hour bigint NOT NULL,
    withdrawn boolean NOT NULL,
    is_recomputation boolean NOT NULL,
    version bigint NOT NULL,
    algorithm_version int NOT NULL,
    settings_hash text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (balance_group, start_at)
);
COMMENT ON TABLE group_hour_alarms IS 'Successive hours far above what a group''s own days make expected, known by group and first hour.';
COMMENT ON COLUMN group_hour_alarms.withdrawn IS 'Later data explained it away: kept for its version, shown nowhere.';
COMMENT ON COLUMN group_hour_alarms.is_recomputation IS 'Last changed because rules or settings did: nobody is alarmed by it.';

CREATE VIEW v_group_onsets AS
SELECT
    g.group_id,
    g.name,
    o.alarmed_day,
    o.since_day,
    o.ended_day,
    CASE WHEN o.ended_day IS NULL THEN 'OPEN' ELSE 'ENDED' END AS state,
    (ARRAY['RISE', 'FALL'])[o.side] AS side,
    o.size_per_day,
    o.size_per_hour,
    o.baseline_constant,
    o.baseline_slope_ppm / 1e6::double precision AS baseline_slope,
    o.baseline_spread_ppm / 1e6::double precision AS baseline_spread,
    o.baseline_days,
    (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE', 'SENSOR'])[g.resource + 1] AS resource,
    CASE
        WHEN g.resource IN (1, 2, 3) THEN 'MILLILITRE'
        WHEN g.resource IN (4, 5) THEN 'WATT_HOUR'
        WHEN g.resource = 6 THEN 'MILLIDEGREE_CELSIUS'
        WHEN g.resource = 7 THEN 'THOUSANDTH'
        ELSE 'UNSPECIFIED'
    END AS unit,
    o.is_recomputation,
    o.version,
    o.algorithm_version,
    o.settings_hash,
    o.changed_at
FROM group_onsets o
JOIN groups g USING (balance_group)
WHERE NOT o.withdrawn;

COMMENT ON VIEW v_group_onsets IS 'When the imbalance of balance groups began to differ from what it had been (docs/domain.md §8).';
COMMENT ON COLUMN v_group_onsets.group_id IS 'Balance group.';
COMMENT ON COLUMN v_group_onsets.name IS 'What people call the group.';
COMMENT ON COLUMN v_group_onsets.alarmed_day IS 'Start of the metering day on which the change was certain enough.';
COMMENT ON COLUMN v_group_onsets.since_day IS 'Start of the first metering day of the run that led to the alarm.';
COMMENT ON COLUMN v_group_onsets.ended_day IS 'Start of the first metering day on which the group was back; null while it is not.';
COMMENT ON COLUMN v_group_onsets.state IS 'OPEN or ENDED.';
COMMENT ON COLUMN v_group_onsets.side IS 'RISE when more is lost than before, FALL when less.';
COMMENT ON COLUMN v_group_onsets.size_per_day IS 'By how much the imbalance of a day differs from what the members'' use makes expected, base units; negative for a FALL.';
COMMENT ON COLUMN v_group_onsets.size_per_hour IS 'The same for an hour.';
COMMENT ON COLUMN v_group_onsets.baseline_constant IS 'Imbalance of a day expected without supply: the constant loss before, base units.';
COMMENT ON COLUMN v_group_onsets.baseline_slope IS 'Share of supply expected as imbalance beside the constant.';
COMMENT ON COLUMN v_group_onsets.baseline_spread IS 'Standard deviation of the imbalance around these, as a share of supply.';
COMMENT ON COLUMN v_group_onsets.baseline_days IS 'Days from which these were learnt.';
COMMENT ON COLUMN v_group_onsets.resource IS 'What is metered.';
COMMENT ON COLUMN v_group_onsets.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_group_onsets.is_recomputation IS 'Last changed because rules or settings did.';
COMMENT ON COLUMN v_group_onsets.version IS 'Rises with each change.';
COMMENT ON COLUMN v_group_onsets.algorithm_version IS 'Version of the rules of onset and alarm.';
COMMENT ON COLUMN v_group_onsets.settings_hash IS 'Hash of the settings that took part.';
COMMENT ON COLUMN v_group_onsets.changed_at IS 'When this version was made.';

CREATE VIEW v_group_alarms AS
SELECT
    g.group_id,
    g.name,
    a.start_at,
    a.start_at + INTERVAL '2 hours' AS confirmed_at,
    a.ended_at,
    CASE WHEN a.ended_at IS NULL THEN 'OPEN' ELSE 'ENDED' END AS state,
    a.hours_above,
    a.excess_per_hour,
    (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE', 'SENSOR'])[g.resource + 1] AS resource,
    CASE
        WHEN g.resource IN (1, 2, 3) THEN 'MILLILITRE'
        WHEN g.resource IN (4, 5) THEN 'WATT_HOUR'
        WHEN g.resource = 6 THEN 'MILLIDEGREE_CELSIUS'
        WHEN g.resource = 7 THEN 'THOUSANDTH'
        ELSE 'UNSPECIFIED'
    END AS unit,
    a.is_recomputation,
    a.version,
    a.algorithm_version,
    a.settings_hash,
    a.changed_at
FROM group_hour_alarms a
JOIN groups g USING (balance_group)
WHERE NOT a.withdrawn;

COMMENT ON VIEW v_group_alarms IS 'Hours in which the imbalance of balance groups lay far above the expected (docs/domain.md §8.6).';
COMMENT ON COLUMN v_group_alarms.group_id IS 'Balance group.';
COMMENT ON COLUMN v_group_alarms.name IS 'What people call the group.';
COMMENT ON COLUMN v_group_alarms.start_at IS 'Start of the first hour.';
COMMENT ON COLUMN v_group_alarms.confirmed_at IS 'End of the second hour: when it could first be known.';
COMMENT ON COLUMN v_group_alarms.ended_at IS 'Start of the first hour that is as expected again, or that an onset takes over; null while none is known.';
COMMENT ON COLUMN v_group_alarms.state IS 'OPEN or ENDED.';
COMMENT ON COLUMN v_group_alarms.hours_above IS 'Hours far above the expected.';
COMMENT ON COLUMN v_group_alarms.excess_per_hour IS 'By how much these hours exceed the expected, in the middle; base units an hour.';
COMMENT ON COLUMN v_group_alarms.resource IS 'What is metered.';
COMMENT ON COLUMN v_group_alarms.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_group_alarms.is_recomputation IS 'Last changed because rules or settings did.';
COMMENT ON COLUMN v_group_alarms.version IS 'Rises with each change.';
COMMENT ON COLUMN v_group_alarms.algorithm_version IS 'Version of the rules of onset and alarm.';
COMMENT ON COLUMN v_group_alarms.settings_hash IS 'Hash of the settings that took part.';
COMMENT ON COLUMN v_group_alarms.changed_at IS 'When this version was made.';

CREATE OR REPLACE VIEW v_group_states AS
SELECT
    g.group_id,
    g.name,
    (ARRAY['UNSPECIFIED', 'GAS', 'WATER', 'HOT_WATER', 'HEAT', 'ELECTRICITY', 'TEMPERATURE', 'SENSOR'])[g.resource + 1] AS resource,
    CASE
        WHEN g.resource IN (1, 2, 3) THEN 'MILLILITRE'
        WHEN g.resource IN (4, 5) THEN 'WATT_HOUR'
        WHEN g.resource = 6 THEN 'MILLIDEGREE_CELSIUS'
        WHEN g.resource = 7 THEN 'THOUSANDTH'
        ELSE 'UNSPECIFIED'
    END AS unit,
    d.day_start,
    d.supply,
    d.members,
    d.imbalance,
    CASE WHEN d.supply > 10 * d.supply_pulse THEN d.imbalance::double precision / d.supply END AS relative_imbalance,
    d.tolerance,
    (ARRAY['UNSPECIFIED', 'COMPLETE', 'ESTIMATED', 'UNRELIABLE', 'NOT_COMPUTABLE'])[d.coverage + 1] AS coverage,
    (ARRAY['UNSPECIFIED', 'WITHIN_TOLERANCE', 'LOSS', 'SURPLUS', 'UNDECIDED'])[d.verdict + 1] AS verdict,
    d.members_due,
    d.members_reported,
    cardinality(d.missing) AS missing,
    cardinality(d.unmetered) AS unmetered,
    d.missing_share_ppm / 1e6::double precision AS missing_share,
    ARRAY(
        SELECT (ARRAY['NO_SUPPLY', 'NO_MEMBER', 'OVERLAPPING_MEMBERSHIP', 'NESTED_CYCLE', 'UNKNOWN_GROUP'])[p]
        FROM unnest(d.problems) AS p
    ) AS problems,
    w.supply AS supply_7d,
    w.imbalance AS imbalance_7d,
    w.relative_imbalance AS relative_imbalance_7d,
    w.tolerance AS tolerance_7d,
    w.coverage AS coverage_7d,
    w.verdict AS verdict_7d,
    m.supply AS supply_30d,
    m.imbalance AS imbalance_30d,
    m.relative_imbalance AS relative_imbalance_30d,
    m.tolerance AS tolerance_30d,
    m.coverage AS coverage_30d,
    m.verdict AS verdict_30d,
    d.version,
    d.algorithm_version,
    d.computed_at,
    o.open_onsets,
    o.onset_since_day,
    o.onset_side,
    o.onset_size_per_day,
    a.alarm_start_at,
    a.alarm_ended_at
FROM groups g
-- OFFSET 0 keeps these a look-up by key for each group, whatever the planner believes of the tables.
CROSS JOIN LATERAL (
    SELECT * FROM group_days n WHERE n.balance_group = g.balance_group AND NOT n.withdrawn ORDER BY n.day_start DESC LIMIT 1
) d
JOIN LATERAL (
    SELECT * FROM group_spans s WHERE s.balance_group = g.balance_group AND s.day_start = d.day_start AND s.span = '7 d'
    OFFSET 0
) w ON true
JOIN LATERAL (
    SELECT * FROM group_spans s WHERE s.balance_group = g.balance_group AND s.day_start = d.day_start AND s.span = '30 d'
    OFFSET 0
) m ON true
LEFT JOIN LATERAL (
    SELECT
        count(*)::int AS open_onsets,
        (array_agg(n.since_day ORDER BY n.alarmed_day DESC))[1] AS onset_since_day,
        (ARRAY['RISE', 'FALL'])[(array_agg(n.side ORDER BY n.alarmed_day DESC))[1]] AS onset_side,
        (array_agg(n.size_per_day ORDER BY n.alarmed_day DESC))[1] AS onset_size_per_day
    FROM group_onsets n
    WHERE n.balance_group = g.balance_group AND n.ended_day IS NULL AND NOT n.withdrawn
) o ON true
LEFT JOIN LATERAL (
    SELECT n.start_at AS alarm_start_at, n.ended_at AS alarm_ended_at FROM group_hour_alarms n
    WHERE n.balance_group = g.balance_group AND NOT n.withdrawn
    ORDER BY n.start_at DESC
    LIMIT 1
) a ON true;

COMMENT ON COLUMN v_group_states.open_onsets IS 'How many changes of its imbalance stand (v_group_onsets).';
COMMENT ON COLUMN v_group_states.onset_since_day IS 'Since when the newest of them; null without one.';
COMMENT ON COLUMN v_group_states.onset_side IS 'RISE when more is lost than before, FALL when less.';
COMMENT ON COLUMN v_group_states.onset_size_per_day IS 'Its size a day, base units.';
COMMENT ON COLUMN v_group_states.alarm_start_at IS 'First hour of its newest hourly alarm (v_group_alarms); null without any.';
COMMENT ON COLUMN v_group_states.alarm_ended_at IS 'When that ended; null while it stands.';

GRANT SELECT ON v_group_onsets, v_group_alarms, v_group_states TO balance_reader;
