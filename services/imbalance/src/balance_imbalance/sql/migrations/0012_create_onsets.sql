-- Onset and hourly alarm of groups (docs/domain.md §8).
ALTER TABLE group_days ADD COLUMN news_version bigint;
COMMENT ON COLUMN group_days.news_version IS 'Last version before this one that was no recomputation, 0 without one; null when this is none itself, or is the first.';

CREATE FUNCTION is_unpublished(word text, balance_group int, instant timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM imbalance.outbox
        WHERE keys @> jsonb_build_array(jsonb_build_array(word, balance_group, extract(epoch FROM instant)::bigint))
    )
$$;
COMMENT ON FUNCTION is_unpublished IS 'Whether an event of a group is still named to the publisher, by the word and the instant of its key.';

CREATE TABLE onset_days (
    balance_group int NOT NULL,
    day_start timestamptz NOT NULL,
    state jsonb NOT NULL,
    settings_hash text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (balance_group, day_start)
);
COMMENT ON COLUMN onset_days.version IS 'Version of the group-day that was gone over.';
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
    resource_name(g.resource) AS resource,
    unit_name(g.resource) AS unit,
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

CREATE VIEW v_group_hour_alarms AS
SELECT
    g.group_id,
    g.name,
    a.start_at,
    a.start_at + INTERVAL '2 hours' AS confirmed_at,
    a.ended_at,
    CASE WHEN a.ended_at IS NULL THEN 'OPEN' ELSE 'ENDED' END AS state,
    a.hours_above,
    a.excess_per_hour,
    resource_name(g.resource) AS resource,
    unit_name(g.resource) AS unit,
    a.is_recomputation,
    a.version,
    a.algorithm_version,
    a.settings_hash,
    a.changed_at
FROM group_hour_alarms a
JOIN groups g USING (balance_group)
WHERE NOT a.withdrawn;

COMMENT ON VIEW v_group_hour_alarms IS 'Hours in which the imbalance of balance groups lay far above the expected (docs/domain.md §8.6).';
COMMENT ON COLUMN v_group_hour_alarms.group_id IS 'Balance group.';
COMMENT ON COLUMN v_group_hour_alarms.name IS 'What people call the group.';
COMMENT ON COLUMN v_group_hour_alarms.start_at IS 'Start of the first hour.';
COMMENT ON COLUMN v_group_hour_alarms.confirmed_at IS 'End of the second hour: when it could first be known.';
COMMENT ON COLUMN v_group_hour_alarms.ended_at IS 'Start of the first hour that is as expected again, or that an onset takes over; null while none is known.';
COMMENT ON COLUMN v_group_hour_alarms.state IS 'OPEN or ENDED.';
COMMENT ON COLUMN v_group_hour_alarms.hours_above IS 'Hours far above the expected.';
COMMENT ON COLUMN v_group_hour_alarms.excess_per_hour IS 'By how much these hours exceed the expected, in the middle; base units an hour.';
COMMENT ON COLUMN v_group_hour_alarms.resource IS 'What is metered.';
COMMENT ON COLUMN v_group_hour_alarms.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_group_hour_alarms.is_recomputation IS 'Last changed because rules or settings did.';
COMMENT ON COLUMN v_group_hour_alarms.version IS 'Rises with each change.';
COMMENT ON COLUMN v_group_hour_alarms.algorithm_version IS 'Version of the rules of onset and alarm.';
COMMENT ON COLUMN v_group_hour_alarms.settings_hash IS 'Hash of the settings that took part.';
COMMENT ON COLUMN v_group_hour_alarms.changed_at IS 'When this version was made.';

CREATE VIEW v_group_states AS
SELECT
    g.group_id,
    g.name,
    resource_name(g.resource) AS resource,
    unit_name(g.resource) AS unit,
    d.day_start,
    d.supply,
    d.members,
    d.imbalance,
    CASE WHEN d.supply > 10 * d.supply_pulse THEN d.imbalance::double precision / d.supply END AS relative_imbalance,
    d.tolerance,
    coverage_name(d.coverage) AS coverage,
    verdict_name(d.verdict) AS verdict,
    d.members_due,
    d.members_reported,
    cardinality(d.missing) AS missing,
    cardinality(d.unmetered) AS unmetered,
    d.missing_share_ppm / 1e6::double precision AS missing_share,
    problem_names(d.problems) AS problems,
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
    a.hour_alarm_start_at,
    a.hour_alarm_ended_at
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
    SELECT n.start_at AS hour_alarm_start_at, n.ended_at AS hour_alarm_ended_at FROM group_hour_alarms n
    WHERE n.balance_group = g.balance_group AND NOT n.withdrawn
    ORDER BY n.start_at DESC
    LIMIT 1
) a ON true;

COMMENT ON VIEW v_group_states IS 'How each balance group stands: its newest day, and the 7 and 30 days that end with it.';
COMMENT ON COLUMN v_group_states.group_id IS 'Balance group.';
COMMENT ON COLUMN v_group_states.name IS 'What people call the group.';
COMMENT ON COLUMN v_group_states.day_start IS 'Start of its newest metering day; what is not named otherwise is of this day.';
COMMENT ON COLUMN v_group_states.supply IS 'Sum of the supply meters in base units; null when one is missing.';
COMMENT ON COLUMN v_group_states.members IS 'Sum of the members in base units, missing ones estimated.';
COMMENT ON COLUMN v_group_states.imbalance IS 'supply - members in base units; null when not computable.';
COMMENT ON COLUMN v_group_states.relative_imbalance IS 'imbalance / supply; null when the supply is 10 pulses or less.';
COMMENT ON COLUMN v_group_states.tolerance IS 'Expanded uncertainty (k = 2) of the imbalance in base units.';
COMMENT ON COLUMN v_group_states.verdict IS 'WITHIN_TOLERANCE, LOSS, SURPLUS or UNDECIDED.';
COMMENT ON COLUMN v_group_states.resource IS 'What is metered.';
COMMENT ON COLUMN v_group_states.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_group_states.coverage IS 'COMPLETE, ESTIMATED, UNRELIABLE or NOT_COMPUTABLE.';
COMMENT ON COLUMN v_group_states.members_due IS 'Members that belong to the group.';
COMMENT ON COLUMN v_group_states.members_reported IS 'Members that reported all of their hours.';
COMMENT ON COLUMN v_group_states.missing IS 'How many members and supply meters did not report all of their hours.';
COMMENT ON COLUMN v_group_states.unmetered IS 'How many of them have been silent for so long that they count as unmetered.';
COMMENT ON COLUMN v_group_states.missing_share IS 'Share of consumption the missing stand for, 0 to 1.';
COMMENT ON COLUMN v_group_states.problems IS 'What is wrong with the register of the group: NO_SUPPLY, NO_MEMBER, OVERLAPPING_MEMBERSHIP, NESTED_CYCLE, UNKNOWN_GROUP.';
COMMENT ON COLUMN v_group_states.version IS 'Version of the newest day.';
COMMENT ON COLUMN v_group_states.algorithm_version IS 'Version of the computation.';
COMMENT ON COLUMN v_group_states.computed_at IS 'When the newest day was computed last.';
COMMENT ON COLUMN v_group_states.supply_7d IS 'Supply of the 7 days that end with the newest.';
COMMENT ON COLUMN v_group_states.imbalance_7d IS 'Imbalance of the 7 days that end with the newest.';
COMMENT ON COLUMN v_group_states.relative_imbalance_7d IS 'Relative imbalance of the 7 days that end with the newest.';
COMMENT ON COLUMN v_group_states.tolerance_7d IS 'Tolerance of the 7 days that end with the newest.';
COMMENT ON COLUMN v_group_states.coverage_7d IS 'Coverage of the 7 days that end with the newest.';
COMMENT ON COLUMN v_group_states.verdict_7d IS 'Verdict of the 7 days that end with the newest.';
COMMENT ON COLUMN v_group_states.supply_30d IS 'Supply of the 30 days that end with the newest.';
COMMENT ON COLUMN v_group_states.imbalance_30d IS 'Imbalance of the 30 days that end with the newest.';
COMMENT ON COLUMN v_group_states.relative_imbalance_30d IS 'Relative imbalance of the 30 days that end with the newest.';
COMMENT ON COLUMN v_group_states.tolerance_30d IS 'Tolerance of the 30 days that end with the newest.';
COMMENT ON COLUMN v_group_states.coverage_30d IS 'Coverage of the 30 days that end with the newest.';
COMMENT ON COLUMN v_group_states.verdict_30d IS 'Verdict of the 30 days that end with the newest.';
COMMENT ON COLUMN v_group_states.open_onsets IS 'How many changes of its imbalance stand (v_group_onsets).';
COMMENT ON COLUMN v_group_states.onset_since_day IS 'Since when the newest of them; null without one.';
COMMENT ON COLUMN v_group_states.onset_side IS 'RISE when more is lost than before, FALL when less.';
COMMENT ON COLUMN v_group_states.onset_size_per_day IS 'Its size a day, base units.';
COMMENT ON COLUMN v_group_states.hour_alarm_start_at IS 'First hour of its newest hourly alarm (v_group_hour_alarms); null without any.';
COMMENT ON COLUMN v_group_states.hour_alarm_ended_at IS 'When that ended; null while it stands.';

GRANT SELECT ON v_group_onsets, v_group_hour_alarms, v_group_states TO balance_reader;
