CREATE TABLE inadequacy_markers (LIKE markers INCLUDING ALL);
COMMENT ON TABLE inadequacy_markers IS 'Inadequacy days to be computed, by a usage point of theirs: the home or its thermometer.';
INSERT INTO nightly (kind) VALUES ('inadequacy');

CREATE TABLE inadequacy_homes (
    usage_point int NOT NULL,
    thermometer int NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL,
    resource smallint NOT NULL,
    object_path text[] NOT NULL,
    building text[] NOT NULL
);
CREATE INDEX inadequacy_homes_by_usage_point ON inadequacy_homes (usage_point);
CREATE INDEX inadequacy_homes_by_thermometer ON inadequacy_homes (thermometer);
-- By hash: a path may be longer than what fits an ordered index.
CREATE INDEX inadequacy_homes_by_building ON inadequacy_homes USING hash (building);
COMMENT ON TABLE inadequacy_homes IS 'Usage points of gas and heat with the thermometer of their room, on days that start in the span, as the register was when days were last marked by it.';
COMMENT ON COLUMN inadequacy_homes.building IS 'The object whose homes are like this one; empty when its path tells none.';

CREATE TABLE inadequacy_days (
    usage_point int NOT NULL,
    day_start timestamptz NOT NULL,
    state smallint NOT NULL,
    consumed int,
    indoor int,
    outdoor int,
    expected_own int,
    expected_like_homes int,
    like_homes int NOT NULL,
    like_homes_indoor int,
    version bigint NOT NULL,
    algorithm_version int NOT NULL,
    settings_hash text NOT NULL,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (day_start, usage_point)
)
-- if plain
PARTITION BY RANGE (day_start)
-- end
;
CREATE INDEX inadequacy_days_by_usage_point ON inadequacy_days (usage_point, day_start);
-- if timescaledb
SELECT create_hypertable('inadequacy_days', by_range('day_start', INTERVAL '28 days'), create_default_indexes => false);
-- end
COMMENT ON TABLE inadequacy_days IS 'What a home used on a metering day, how warm it was, and what was to be expected.';
COMMENT ON COLUMN inadequacy_days.state IS 'By its number in the contract: 1 counts, 7 withdrawn, else why it does not count.';
COMMENT ON COLUMN inadequacy_days.consumed IS 'Base units; null when not known.';
COMMENT ON COLUMN inadequacy_days.indoor IS 'Mean of the room in thousandths of a degree Celsius; null when not known.';
COMMENT ON COLUMN inadequacy_days.like_homes_indoor IS 'Mean of the rooms of like homes, likewise.';

CREATE VIEW v_inadequacy_days AS
SELECT
    u.usage_point_id,
    u.object_path,
    resource_name(u.resource) AS resource,
    unit_name(u.resource) AS unit,
    d.day_start,
    (ARRAY[
        'UNSPECIFIED', 'COUNTS', 'NO_OUTDOOR_TEMPERATURE', 'NOT_COLD', 'TOO_FEW_READINGS', 'NO_INDOOR_TEMPERATURE',
        'ABSURD_INDOOR_TEMPERATURE', 'WITHDRAWN'
    ])[d.state + 1] AS state,
    d.consumed,
    d.expected_own AS expected_by_own_past,
    d.expected_like_homes AS expected_by_like_homes,
    d.like_homes,
    d.indoor,
    d.outdoor,
    d.like_homes_indoor,
    d.version,
    d.algorithm_version,
    d.settings_hash,
    d.computed_at
FROM inadequacy_days d
JOIN usage_points u USING (usage_point)
WHERE d.state <> 7;

COMMENT ON VIEW v_inadequacy_days IS 'What homes used on metering days, how warm they were, and what was to be expected (docs/domain.md §7.1).';
COMMENT ON COLUMN v_inadequacy_days.usage_point_id IS 'Usage point of gas or heat.';
COMMENT ON COLUMN v_inadequacy_days.object_path IS 'Region, locality, street, building and so on.';
COMMENT ON COLUMN v_inadequacy_days.resource IS 'What is metered.';
COMMENT ON COLUMN v_inadequacy_days.unit IS 'Base unit of the quantities.';
COMMENT ON COLUMN v_inadequacy_days.day_start IS 'Start of the metering day. Bound this column in every query: the table is cut by it.';
COMMENT ON COLUMN v_inadequacy_days.state IS 'COUNTS, or the first reason against it.';
COMMENT ON COLUMN v_inadequacy_days.consumed IS 'What the day used in base units; null when fewer than 90 % of its hours are known.';
COMMENT ON COLUMN v_inadequacy_days.expected_by_own_past IS 'What its own past makes expected at these temperatures; null when it does not tell or the day does not count.';
COMMENT ON COLUMN v_inadequacy_days.expected_by_like_homes IS 'What like homes of the building make expected at these temperatures; null when they do not tell or the day does not count.';
COMMENT ON COLUMN v_inadequacy_days.like_homes IS 'How many like homes counted that day.';
COMMENT ON COLUMN v_inadequacy_days.indoor IS 'Mean temperature of the room, thousandths of a degree Celsius.';
COMMENT ON COLUMN v_inadequacy_days.outdoor IS 'Mean outdoor temperature, thousandths of a degree Celsius.';
COMMENT ON COLUMN v_inadequacy_days.like_homes_indoor IS 'Mean temperature of the rooms of like homes, thousandths of a degree Celsius.';
COMMENT ON COLUMN v_inadequacy_days.version IS 'Rises with each change of the row.';
COMMENT ON COLUMN v_inadequacy_days.algorithm_version IS 'Version of the computation.';
COMMENT ON COLUMN v_inadequacy_days.settings_hash IS 'Hash of the settings that took part.';
COMMENT ON COLUMN v_inadequacy_days.computed_at IS 'When this version was computed.';
GRANT SELECT ON v_inadequacy_days TO balance_reader;

CREATE FUNCTION inadequacy(at date, depth int DEFAULT 7, under text[] DEFAULT '{}')
RETURNS TABLE (
    usage_point_id text, object_path text[], resource text, unit text,
    k double precision, k_own double precision, k_like_homes double precision, is_flagged boolean, reason text,
    days_used int, days_cold int, indoor_c double precision, outdoor_c double precision, like_homes_indoor_c double precision, like_homes int,
    consumed bigint, expected bigint, expected_by_own_past bigint, expected_by_like_homes bigint,
    group_id text, group_supply bigint, group_imbalance bigint, group_tolerance bigint, group_verdict text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = imbalance, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    start_day timestamptz;
    end_day timestamptz;
    needed int := (7 * depth + 9) / 10;
    least_homes int := (SELECT r.least_homes FROM rules_in_force r);
BEGIN
    IF depth IS NULL OR depth NOT BETWEEN 7 AND 30 THEN
        RAISE EXCEPTION 'expected a depth of 7 to 30 days, found %', coalesce(depth::text, 'none')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT
        (at - depth + 1 + i.calendar_day_start_hour * INTERVAL '1 hour') AT TIME ZONE i.calendar_zone,
        (at + 1 + i.calendar_day_start_hour * INTERVAL '1 hour') AT TIME ZONE i.calendar_zone
    INTO start_day, end_day
    FROM public.balance_installation i;
    RETURN QUERY
    WITH homes AS MATERIALIZED (
        SELECT u.usage_point, u.usage_point_id, u.object_path, u.resource
        FROM usage_points u
        WHERE u.resource IN (1, 4)
            AND (cardinality(under) = 0 OR u.object_path[1:cardinality(under)] = under)
            AND u.usage_point IN (
                SELECT m.usage_point FROM meters m
                WHERE m.fitted_at < end_day AND (m.removed_at IS NULL OR m.removed_at > start_day)
            )
            AND u.usage_point NOT IN (SELECT m.usage_point FROM memberships m WHERE m.role = 1)
    ), used AS MATERIALIZED (
        SELECT
            d.usage_point,
            count(*) AS days,
            sum(d.indoor)::double precision / count(*) AS indoor,
            sum(d.outdoor)::double precision / count(*) AS outdoor,
            sum(d.like_homes_indoor)::double precision / count(d.like_homes_indoor) AS like_homes_indoor,
            max(d.like_homes) AS like_homes,
            sum(d.consumed) AS consumed,
            count(d.expected_own) AS own_days,
            sum(d.consumed) FILTER (WHERE d.expected_own IS NOT NULL) AS own_consumed,
            sum(d.expected_own) AS own,
            count(d.expected_like_homes) AS like_homes_days,
            sum(d.consumed) FILTER (WHERE d.expected_like_homes IS NOT NULL) AS like_homes_consumed,
            sum(d.expected_like_homes) AS like_homes_expected,
            regr_slope(d.indoor, d.outdoor) AS slope,
            regr_r2(d.indoor, d.outdoor) AS follows
        FROM inadequacy_days d
        WHERE d.day_start >= start_day AND d.day_start < end_day AND d.state = 1
            AND (cardinality(under) = 0 OR d.usage_point IN (SELECT h.usage_point FROM homes h))
        GROUP BY d.usage_point
    ), unused AS MATERIALIZED (
        SELECT
            d.usage_point,
            count(*) AS days,
            count(*) FILTER (WHERE d.state = 2) AS untold,
            count(*) FILTER (WHERE d.state = 3) AS mild,
            count(*) FILTER (WHERE d.state = 4) AS unread,
            count(*) FILTER (WHERE d.state = 5) AS unheard,
            count(*) FILTER (WHERE d.state = 6) AS absurd
        FROM inadequacy_days d
        WHERE d.day_start >= start_day AND d.day_start < end_day AND d.state NOT IN (1, 7)
            AND (cardinality(under) = 0 OR d.usage_point IN (SELECT h.usage_point FROM homes h))
        GROUP BY d.usage_point
    ), measured AS MATERIALIZED (
        SELECT DISTINCT i.usage_point FROM inadequacy_homes i WHERE i.valid_from < end_day AND i.valid_to > start_day
    ), counted AS (
        SELECT
            h.usage_point, h.usage_point_id, h.object_path, h.resource,
            u.indoor, u.outdoor, u.like_homes_indoor, u.like_homes, u.consumed, u.own_consumed, u.own, u.like_homes_consumed, u.like_homes_expected,
            u.slope, u.follows,
            coalesce(u.days, 0) AS used,
            coalesce(n.days, 0) AS unused,
            coalesce(u.days, 0) + coalesce(n.days - n.untold - n.mild, 0) AS cold,
            coalesce(u.days, 0) + coalesce(n.days - n.untold, 0) AS told,
            coalesce(n.unread, 0) AS unread,
            coalesce(n.unheard, 0) AS unheard,
            coalesce(n.absurd, 0) AS absurd,
            m.usage_point IS NOT NULL AS measured,
            CASE WHEN u.own_days >= needed AND u.own > 0 THEN greatest(0, 1 - u.own_consumed::double precision / u.own) END AS k_own,
            CASE WHEN u.like_homes_days >= needed AND u.like_homes_expected > 0 THEN greatest(0, 1 - u.like_homes_consumed::double precision / u.like_homes_expected) END AS k_like_homes
        FROM homes h
        LEFT JOIN used u USING (usage_point)
        LEFT JOIN unused n USING (usage_point)
        LEFT JOIN measured m USING (usage_point)
    ), reasoned AS MATERIALIZED (
        SELECT
            c.*,
            CASE
                WHEN c.used + c.unused = 0 AND c.measured THEN 'nothing was heard of it, or no day has fallen due'
                WHEN c.used + c.unused = 0 THEN 'no thermometer of a room on its module'
                WHEN c.told < needed THEN
                    format('outdoor temperature known on %s of %s days, %s needed', c.told, depth, needed)
                WHEN c.cold < needed THEN
                    format('not the heating season: cold on %s of %s days, %s needed', c.cold, depth, needed)
                WHEN c.used < needed THEN
                    format('too few days: %s of %s count, %s needed', c.used, depth, needed)
                    || CASE WHEN c.unread > 0 THEN format('; readings missing on %s', c.unread) ELSE '' END
                    || CASE WHEN c.absurd > 0 THEN format('; thermometer tells what no room has on %s', c.absurd) ELSE '' END
                    || CASE WHEN c.unheard > 0 THEN format('; thermometer silent on %s', c.unheard) ELSE '' END
                WHEN c.indoor <= 19000 THEN
                    format('not warm: %s °C indoors, above 19 °C needed', round(c.indoor::numeric / 1000, 1))
                WHEN c.slope >= 0.5 AND c.follows >= 0.5 THEN
                    format('module outside the heated room: it warms %s °C a degree outdoors', round(c.slope::numeric, 1))
                WHEN c.k_own IS NULL AND c.k_like_homes IS NULL THEN
                    format('its own past does not show what it needs, and there are too few like homes (%s, %s needed)', c.like_homes, least_homes)
            END AS reason
        FROM counted c
    ), judged AS MATERIALIZED (
        SELECT r.*, CASE WHEN r.reason IS NULL THEN greatest(r.k_own, r.k_like_homes) END AS k FROM reasoned r
    ), groups_of AS MATERIALIZED (
        SELECT DISTINCT ON (m.usage_point) m.usage_point, m.balance_group, g.group_id
        FROM memberships m
        JOIN groups g USING (balance_group)
        WHERE m.role = 2 AND m.valid_from < end_day AND (m.valid_to IS NULL OR m.valid_to > start_day)
        ORDER BY m.usage_point, g.group_id COLLATE "C"
    ), balances AS MATERIALIZED (
        SELECT
            b.balance_group,
            count(*) AS days,
            sum(b.supply)::bigint AS supply,
            sum(b.imbalance)::bigint AS imbalance,
            sum(b.tolerance)::bigint AS tolerance,
            sum(coalesce(b.unregistered, 0))::bigint AS unregistered
        FROM group_days b
        WHERE b.day_start >= start_day AND b.day_start < end_day AND NOT b.withdrawn AND b.coverage IN (1, 2)
        GROUP BY b.balance_group
    )
    SELECT
        j.usage_point_id,
        j.object_path,
        resource_name(j.resource),
        unit_name(j.resource),
        j.k,
        CASE WHEN j.reason IS NULL THEN j.k_own END,
        CASE WHEN j.reason IS NULL THEN j.k_like_homes END,
        coalesce(j.k >= 0.5, false),
        'not computable: ' || j.reason,
        j.used::int,
        j.cold::int,
        j.indoor / 1000,
        j.outdoor / 1000,
        j.like_homes_indoor / 1000,
        coalesce(j.like_homes, 0),
        CASE WHEN j.k = j.k_own THEN j.own_consumed WHEN j.k = j.k_like_homes THEN j.like_homes_consumed ELSE j.consumed END,
        CASE WHEN j.k = j.k_own THEN j.own WHEN j.k = j.k_like_homes THEN j.like_homes_expected END,
        j.own,
        j.like_homes_expected,
        g.group_id,
        b.supply,
        b.imbalance,
        b.tolerance,
        CASE WHEN g.group_id IS NOT NULL THEN
            CASE
                WHEN coalesce(b.days, 0) < needed THEN 'UNDECIDED'
                WHEN b.imbalance > b.tolerance + b.unregistered THEN 'LOSS'
                WHEN b.imbalance < -b.tolerance THEN 'SURPLUS'
                ELSE 'WITHIN_TOLERANCE'
            END
        END
    FROM judged j
    LEFT JOIN groups_of g USING (usage_point)
    LEFT JOIN balances b USING (balance_group)
    ORDER BY j.k DESC NULLS LAST, j.usage_point_id COLLATE "C";
END
$$;
COMMENT ON FUNCTION inadequacy(date, int, text[]) IS
'Inadequacy coefficient of homes (docs/domain.md §7.4), greatest first: at a date, over the depth (7 to 30) of metering days that end with it, of all objects or those beneath a path. k is the larger of k_own (against the own past) and k_like_homes (against like homes of the building), is_flagged from 0.5; without k the reason says why. Quantities in base units, temperatures in °C; beside it the balance of the group over the same days: a high k with a balance within tolerance is other heating.';

CREATE FUNCTION inadequacy_by_object(at date, depth int DEFAULT 7, under text[] DEFAULT '{}')
RETURNS TABLE (
    object_path text[], resource text, unit text, homes int, computable int, flagged int, k double precision, highest_k double precision,
    consumed bigint, expected bigint, lacking bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = imbalance, pg_temp
AS $$
    SELECT
        o.object_path,
        o.resource,
        o.unit,
        count(*)::int,
        count(o.k)::int,
        count(*) FILTER (WHERE o.is_flagged)::int,
        CASE WHEN sum(o.expected) FILTER (WHERE o.k IS NOT NULL) > 0 THEN
            greatest(0, 1 - (sum(o.consumed) FILTER (WHERE o.k IS NOT NULL))::double precision
                / sum(o.expected) FILTER (WHERE o.k IS NOT NULL))
        END,
        max(o.k),
        (sum(o.consumed) FILTER (WHERE o.k IS NOT NULL))::bigint,
        (sum(o.expected) FILTER (WHERE o.k IS NOT NULL))::bigint,
        coalesce(sum(o.expected - o.consumed) FILTER (WHERE o.is_flagged), 0)::bigint
    FROM (
        SELECT h.object_path[1:n.depth] AS object_path, h.resource, h.unit, h.k, h.is_flagged, h.consumed, h.expected
        FROM inadequacy(at, depth, under) h
        CROSS JOIN LATERAL generate_series(cardinality(under), cardinality(h.object_path)) AS n (depth)
    ) o
    GROUP BY o.object_path, o.resource, o.unit
    ORDER BY 6 DESC, 11 DESC, 8 DESC NULLS LAST, 1, 2
$$;
COMMENT ON FUNCTION inadequacy_by_object(date, int, text[]) IS
'imbalance.inadequacy summed up the object tree, objects with most flagged homes first: homes beneath, how many are computable and flagged, k of their sums, the highest k, what they used and were to use, and what the flagged lack (docs/domain.md §7.4).';
REVOKE ALL ON FUNCTION inadequacy(date, int, text[]), inadequacy_by_object(date, int, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION inadequacy(date, int, text[]), inadequacy_by_object(date, int, text[]) TO balance_reader;
