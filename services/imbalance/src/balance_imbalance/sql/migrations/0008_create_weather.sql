CREATE TABLE weather_sources (
    weather_source int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object_path text[] NOT NULL,
    kind smallint NOT NULL,
    name text NOT NULL,
    UNIQUE (object_path, kind, name)
);
COMMENT ON TABLE weather_sources IS 'Who tells the outdoor temperature of an object, beside the outdoor thermometers of the register.';
COMMENT ON COLUMN weather_sources.kind IS 'By its number in the contract: 1 LOGGER, 2 SERVICE, 3 FILE; of several the least counts.';

CREATE TABLE weather_days (
    weather_source int NOT NULL REFERENCES weather_sources,
    day_start timestamptz NOT NULL,
    "values" int[] NOT NULL,
    version bigint NOT NULL,
    changed_in bigint NOT NULL,
    reported_at timestamptz NOT NULL,
    PRIMARY KEY (weather_source, day_start)
);
CREATE INDEX weather_days_by_day ON weather_days (day_start);
COMMENT ON TABLE weather_days IS 'What a source says of a metering day, greatest version.';
COMMENT ON COLUMN weather_days."values" IS 'Thousandths of a degree Celsius by hour; null where not known.';
COMMENT ON COLUMN weather_days.changed_in IS 'Version in which the values changed last.';

CREATE TABLE weather_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object_path text[] NOT NULL,
    first_day timestamptz NOT NULL,
    last_day timestamptz NOT NULL
);
COMMENT ON TABLE weather_changes IS 'Weather that changed, until what depends on it is marked. Whoever stores adds a row in the same transaction.';
COMMENT ON COLUMN weather_changes.object_path IS 'Of the source: everything beneath it may depend on it.';

CREATE INDEX outdoor_thermometers ON usage_points (usage_point) WHERE is_outdoor;

CREATE VIEW weather_told AS
SELECT s.object_path, s.kind, s.name, d.day_start, d."values"::bigint[] AS "values", 2 AS rank
FROM weather_sources s
JOIN weather_days d USING (weather_source)
UNION ALL
SELECT
    u.object_path,
    1::smallint,
    u.usage_point_id,
    r.day_start,
    ARRAY(
        SELECT CASE WHEN coalesce(h.quality, 1) IN (1, 3) THEN h.value END
        FROM unnest(r."values", r.qualities) WITH ORDINALITY AS h (value, quality, hour)
        ORDER BY h.hour
    ),
    1
FROM usage_points u
JOIN reading_days r USING (usage_point)
WHERE u.is_outdoor AND u.resource = 6;
COMMENT ON VIEW weather_told IS 'Whatever is told of the outdoor temperature, by source and metering day: sources, and outdoor thermometers with their VALID and EDITED hours.';
COMMENT ON COLUMN weather_told.object_path IS 'Object of the source.';
COMMENT ON COLUMN weather_told.kind IS '1 LOGGER, 2 SERVICE, 3 FILE; of several the least counts.';
COMMENT ON COLUMN weather_told.name IS 'Who tells it; an outdoor thermometer by its id.';
COMMENT ON COLUMN weather_told.day_start IS 'Start of the metering day.';
COMMENT ON COLUMN weather_told."values" IS 'Thousandths of a degree Celsius by hour; null where not known.';
COMMENT ON COLUMN weather_told.rank IS 'Of two of one name the thermometer of the register (1) counts before the source (2).';

CREATE VIEW weather_ranges AS
SELECT
    s.object_path,
    (SELECT min(w.day_start) FROM weather_days w WHERE w.weather_source = s.weather_source) AS first_day,
    (SELECT max(w.day_start) FROM weather_days w WHERE w.weather_source = s.weather_source) AS last_day
FROM weather_sources s
UNION ALL
SELECT
    u.object_path,
    (SELECT r.day_start FROM reading_days r WHERE r.usage_point = u.usage_point ORDER BY r.day_start LIMIT 1),
    (SELECT r.day_start FROM reading_days r WHERE r.usage_point = u.usage_point ORDER BY r.day_start DESC LIMIT 1)
FROM usage_points u
WHERE u.is_outdoor AND u.resource = 6;
COMMENT ON VIEW weather_ranges IS 'First and last metering day of each source of weather_told.';
COMMENT ON COLUMN weather_ranges.object_path IS 'Object of the source.';
COMMENT ON COLUMN weather_ranges.first_day IS 'Start of the first metering day it tells of; null without any.';
COMMENT ON COLUMN weather_ranges.last_day IS 'Start of the last.';

-- Rules of domain/weather.py once more; test_the_view_says_what_is_computed_with holds the two together. Days are made
-- once, not for each object, so that the bounds of a query leave few of them.
CREATE VIEW v_weather AS
SELECT
    o.object_path,
    d.day_start,
    d.hours,
    h.hours_known,
    CASE
        WHEN h.hours_known = 0 THEN 'NONE'
        WHEN 4 * h.hours_known < 3 * d.hours THEN 'INSUFFICIENT'
        WHEN h.hours_known < d.hours THEN 'PARTIAL'
        ELSE 'COMPLETE'
    END AS coverage,
    m.mean,
    CASE WHEN m.mean IS NOT NULL THEN greatest(0, b.heating_base - m.mean) END AS degree_days,
    h.temperatures,
    h.gaps,
    h.source,
    h.sources,
    b.heating_base
FROM rules_in_force b
CROSS JOIN (
    SELECT c.day_start, (extract(epoch FROM c.day_end - c.day_start) / 3600)::int AS hours
    FROM (
        SELECT
            (n.day + i.calendar_day_start_hour * INTERVAL '1 hour') AT TIME ZONE i.calendar_zone AS day_start,
            (n.day + INTERVAL '1 day' + i.calendar_day_start_hour * INTERVAL '1 hour') AT TIME ZONE i.calendar_zone AS day_end
        FROM public.balance_installation i
        CROSS JOIN LATERAL (
            SELECT
                date_trunc('day', min(r.first_day) AT TIME ZONE i.calendar_zone) AS first_day,
                date_trunc('day', max(r.last_day) AT TIME ZONE i.calendar_zone) AS last_day
            FROM weather_ranges r
        ) e
        CROSS JOIN LATERAL generate_series(e.first_day, e.last_day, INTERVAL '1 day') AS n (day)
    ) c
) d
JOIN (
    SELECT t.object_path, min(r.first_day) AS first_day, max(r.last_day) AS last_day
    FROM (SELECT DISTINCT object_path FROM weather_ranges) t
    CROSS JOIN LATERAL generate_series(0, cardinality(t.object_path)) AS n (parts)
    JOIN weather_ranges r ON r.object_path = t.object_path[1:n.parts]
    GROUP BY t.object_path
) o ON d.day_start BETWEEN o.first_day AND o.last_day
CROSS JOIN LATERAL (
    SELECT
        count(k.temperature)::int AS hours_known,
        sum(k.temperature) AS total,
        array_agg(k.temperature ORDER BY n.hour) AS temperatures,
        coalesce(array_agg(n.hour - 1 ORDER BY n.hour) FILTER (WHERE k.temperature IS NULL), '{}') AS gaps,
        mode() WITHIN GROUP (ORDER BY k.source) AS source,
        coalesce(array_agg(DISTINCT k.source) FILTER (WHERE k.source IS NOT NULL), '{}') AS sources
    FROM generate_series(1, d.hours) AS n (hour)
    LEFT JOIN (
        SELECT DISTINCT ON (v.hour)
            v.hour,
            v.temperature::int,
            (ARRAY['LOGGER', 'SERVICE', 'FILE'])[t.kind] || ' ' || t.name
                || CASE WHEN t.object_path = '{}' THEN '' ELSE ' at ' || array_to_string(t.object_path, ' > ') END AS source
        FROM generate_series(0, cardinality(o.object_path)) AS n (parts)
        JOIN weather_told t ON t.object_path = o.object_path[1:n.parts] AND t.day_start = d.day_start
        CROSS JOIN LATERAL unnest(t."values") WITH ORDINALITY AS v (temperature, hour)
        WHERE v.temperature BETWEEN -70000 AND 60000
        ORDER BY v.hour, cardinality(t.object_path) DESC, t.kind, t.name COLLATE "C", t.rank
    ) k USING (hour)
) h
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN h.hours_known > 0 AND 4 * h.hours_known >= 3 * d.hours
        THEN floor((2 * h.total + h.hours_known)::numeric / (2 * h.hours_known))::int
    END AS mean
) m;

COMMENT ON VIEW v_weather IS 'Outdoor temperature of every object of which it is told, by metering day, what is inherited from above included (docs/domain.md §5); days between the first and the last that lack it are there and say so.';
COMMENT ON COLUMN v_weather.object_path IS 'Object: region, locality, street and so on; empty for everywhere. What has no row takes the weather of the nearest above it.';
COMMENT ON COLUMN v_weather.day_start IS 'Start of the metering day. Bound this column in every query.';
COMMENT ON COLUMN v_weather.hours IS 'Hours of the day: 23, 24 or 25.';
COMMENT ON COLUMN v_weather.hours_known IS 'Hours of which a temperature is known.';
COMMENT ON COLUMN v_weather.coverage IS 'COMPLETE, PARTIAL (a mean in spite of gaps), INSUFFICIENT (too many for a mean) or NONE.';
COMMENT ON COLUMN v_weather.mean IS 'Outdoor mean in thousandths of a degree Celsius; null when fewer than 75 % of the hours are known.';
COMMENT ON COLUMN v_weather.degree_days IS 'By how much the mean was below the heating base, thousandths of a degree; null without a mean.';
COMMENT ON COLUMN v_weather.temperatures IS 'Thousandths of a degree Celsius by hour; null where not known.';
COMMENT ON COLUMN v_weather.gaps IS 'Hours of the day, from 0, of which no temperature is known.';
COMMENT ON COLUMN v_weather.source IS 'Who told most of the hours: kind, name and object; null when nobody did.';
COMMENT ON COLUMN v_weather.sources IS 'All who told an hour of it.';
COMMENT ON COLUMN v_weather.heating_base IS 'Heating base in thousandths of a degree Celsius.';

GRANT SELECT ON v_weather TO balance_reader;
