CREATE TABLE modules (
    module_id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    deleted boolean NOT NULL,
    settings jsonb NOT NULL,
    batteries jsonb NOT NULL
);
COMMENT ON TABLE modules IS 'Projection of the register: each radio module with its whole history, of the greatest version.';
COMMENT ON COLUMN modules.settings IS '[since, packet mode, concentrator or null] in order of time; seconds since 1970. Empty for a deleted module.';
COMMENT ON COLUMN modules.batteries IS '[type, fitted] in the order fitted. Empty for a deleted module.';

CREATE TABLE concentrators (
    concentrator_id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    deleted boolean NOT NULL,
    variant text NOT NULL,
    sim_payer text NOT NULL,
    object_path text[] NOT NULL,
    settings jsonb NOT NULL,
    batteries jsonb NOT NULL
);
COMMENT ON TABLE concentrators IS 'Projection of the register: each concentrator with its whole history, of the greatest version.';
COMMENT ON COLUMN concentrators.settings IS '[since, session plan] in order of time; seconds since 1970. Empty for a deleted concentrator.';

CREATE TABLE packet_plans (
    module_id text COLLATE "C" NOT NULL,
    valid_from bigint NOT NULL,
    valid_until bigint NOT NULL,
    packet_mode text NOT NULL,
    allowance_days smallint NOT NULL,
    concentrator_id text COLLATE "C",
    PRIMARY KEY (module_id, valid_from)
);
CREATE INDEX packet_plans_by_concentrator ON packet_plans (concentrator_id);
CREATE INDEX packet_plans_with_allowance ON packet_plans (module_id) WHERE allowance_days > 0;
COMMENT ON TABLE packet_plans IS 'What was in force for a module in [valid_from, valid_until), of its own settings and its concentrator''s (docs/domain.md §3.17). Before the first: DAILY.';

CREATE TABLE session_plans (
    concentrator_id text COLLATE "C" NOT NULL,
    valid_from bigint NOT NULL,
    valid_until bigint NOT NULL,
    session_plan text NOT NULL,
    allowance_days smallint NOT NULL,
    PRIMARY KEY (concentrator_id, valid_from)
);
COMMENT ON TABLE session_plans IS 'What was in force for a concentrator in [valid_from, valid_until).';

CREATE TABLE battery_forecasts (
    device text NOT NULL CHECK (device IN ('MODULE', 'CONCENTRATOR')),
    device_id text COLLATE "C" NOT NULL,
    fitted_at bigint NOT NULL,
    used_until bigint NOT NULL,
    battery_type text NOT NULL,
    forecast_end bigint,
    PRIMARY KEY (device, device_id, fitted_at)
);
COMMENT ON TABLE battery_forecasts IS 'Batteries, each in use in [fitted_at, used_until), and when they will be empty (docs/domain.md §3.19).';
COMMENT ON COLUMN battery_forecasts.forecast_end IS 'Null when no life of this type in a plan on the way is known.';

CREATE TABLE channel_fittings (
    channel_id int NOT NULL,
    usage_point int NOT NULL,
    module_id text COLLATE "C" NOT NULL,
    number smallint NOT NULL,
    fitted bigint NOT NULL,
    removed bigint NOT NULL
);
CREATE INDEX channel_fittings_by_usage_point ON channel_fittings (usage_point);
CREATE INDEX channel_fittings_by_module ON channel_fittings (module_id);
COMMENT ON TABLE channel_fittings IS 'The fittings of ingest.usage_points, a row each.';
INSERT INTO channel_fittings
SELECT f.channel_id, u.usage_point, f.module_id, f.number, f.fitted, f.removed
FROM usage_points u, jsonb_to_recordset(u.fittings) AS f (channel_id int, module_id text, number smallint, fitted bigint, removed bigint);

CREATE TABLE modules_heard (
    module_id text COLLATE "C" PRIMARY KEY,
    heard_at bigint NOT NULL,
    concentrator_id text COLLATE "C" NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE concentrators_heard (
    concentrator_id text COLLATE "C" PRIMARY KEY,
    heard_at bigint NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE modules_heard IS 'When each module was last heard, and by which concentrator (docs/domain.md §3.18).';
COMMENT ON TABLE concentrators_heard IS 'When each concentrator was last heard (docs/domain.md §3.18).';

CREATE TABLE metering_days (
    day_start timestamptz PRIMARY KEY,
    start_s bigint NOT NULL,
    end_s bigint NOT NULL
);
COMMENT ON TABLE metering_days IS 'The metering days of the installation from its first evidence to the clock.';

CREATE INDEX findings_of_delivery ON findings (rule) WHERE open AND rule LIKE 'delivery.%';

CREATE INDEX sessions_of_wrong_clocks ON sessions (concentrator_id, received_at) WHERE clock_offset_s <> 0;
CREATE INDEX module_events_of_batteries ON module_events (module_id, occurred_at) WHERE kind = 'BATTERY_LOW';

CREATE VIEW v_deliveries AS
SELECT
    f.module_id,
    f.number AS channel,
    u.usage_point_id,
    p.concentrator_id,
    coalesce(p.packet_mode, 'DAILY') AS packet_mode,
    d.day_start,
    h.expected AS expected_hours,
    coalesce(e.received, 0) AS received_hours,
    h.due,
    CASE
        WHEN h.expected > 0 AND e.received >= h.expected THEN 'RECEIVED'
        WHEN h.expected = 0 AND EXISTS (
            SELECT FROM reading_days r
            WHERE r.usage_point = f.usage_point AND r.day_start = d.day_start
                AND (r.qualities IS NULL OR NOT 5 = ANY (r.qualities))
        ) THEN 'RECEIVED'
        WHEN NOT h.due THEN 'AWAITED'
        WHEN e.received > 0 THEN 'PARTIAL'
        ELSE 'MISSING'
    END AS status
FROM metering_days d
JOIN channel_fittings f ON f.fitted < d.end_s AND f.removed > d.start_s
JOIN usage_points u ON u.usage_point = f.usage_point
CROSS JOIN clock
LEFT JOIN packet_plans p ON p.module_id = f.module_id AND p.valid_from <= d.start_s AND p.valid_until > d.start_s
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN p.packet_mode IN ('WEEKLY', 'MONTHLY') THEN 0
            ELSE greatest(
                0, (least(d.end_s, f.removed) - d.start_s) / 3600 - (greatest(0, f.fitted - d.start_s) + 3599) / 3600
            )::int
        END AS expected,
        d.end_s + 86400 * coalesce(p.allowance_days, 0) <= clock.due_before AS due
) h
LEFT JOIN LATERAL (
    SELECT max(
        CASE
            WHEN v.step_s = 0 THEN 0
            WHEN f.fitted <= d.start_s AND d.end_s <= f.removed AND array_position(v."values", NULL) IS NULL
                THEN cardinality(v."values") * v.step_s / 3600
            ELSE (
                SELECT count(*) FROM (
                    SELECT FROM unnest(v."values") WITH ORDINALITY AS s (value, position)
                    WHERE s.value IS NOT NULL
                    GROUP BY (s.position - 1) * v.step_s / 3600
                    HAVING count(*) = 3600 / v.step_s
                        AND f.fitted <= d.start_s + min(s.position - 1) * v.step_s
                        AND d.start_s + max(s.position) * v.step_s <= f.removed
                ) whole
            )
        END
    )::int AS received
    FROM evidence_days v
    WHERE v.channel_id = f.channel_id AND v.day_start = d.day_start
) e ON true;
COMMENT ON VIEW v_deliveries IS
'Delivery log: what was expected of each module channel on each metering day, and what came (docs/domain.md §3.17). Bound day_start in every query.';
COMMENT ON COLUMN v_deliveries.module_id IS 'Radio module.';
COMMENT ON COLUMN v_deliveries.channel IS 'Channel of the module.';
COMMENT ON COLUMN v_deliveries.usage_point_id IS 'Usage point that it reads.';
COMMENT ON COLUMN v_deliveries.concentrator_id IS 'Concentrator that gathers it by its setting at the start of the day; null when any may.';
COMMENT ON COLUMN v_deliveries.packet_mode IS 'Packet mode at the start of the day; DAILY when none is known.';
COMMENT ON COLUMN v_deliveries.day_start IS 'Start of the metering day. Bound this column in every query.';
COMMENT ON COLUMN v_deliveries.expected_hours IS 'Hours of the day in which the channel is fitted; 0 of WEEKLY and MONTHLY modules, which send a register and no hours.';
COMMENT ON COLUMN v_deliveries.received_hours IS 'Hours of these of which every interval came, by the step of which most came.';
COMMENT ON COLUMN v_deliveries.due IS 'Whether all of it should have come by now.';
COMMENT ON COLUMN v_deliveries.status IS
'RECEIVED; else AWAITED while not due, then PARTIAL, or MISSING. Without expected hours it is RECEIVED when registers make readings of the whole day.';

CREATE VIEW v_modules AS
SELECT
    coalesce(m.module_id, h.module_id) AS module_id,
    coalesce(m.deleted, false) AS deleted,
    coalesce(p.packet_mode, 'DAILY') AS packet_mode,
    p.concentrator_id,
    coalesce(p.allowance_days, 0) AS allowance_days,
    to_timestamp(h.heard_at) AS heard_at,
    h.concentrator_id AS heard_by,
    CASE WHEN s.finding_id IS NOT NULL OR j.finding_id IS NOT NULL THEN to_timestamp(h.heard_at) END AS silent_since,
    b.battery_type,
    to_timestamp(b.fitted_at) AS battery_fitted_at,
    to_timestamp(b.forecast_end) AS battery_forecast_end,
    z.found AS battery_finding,
    l.observed_at,
    l.battery_mv,
    l.signal_dbm,
    l.firmware,
    l.packet_mode AS told_packet_mode,
    l.clock_offset_s,
    coalesce(l.relay_path, '{}') AS relay_path
FROM modules m
FULL JOIN modules_heard h ON h.module_id = m.module_id
CROSS JOIN clock
LEFT JOIN packet_plans p
    ON p.module_id = coalesce(m.module_id, h.module_id) AND p.valid_from <= clock.received_at AND p.valid_until > clock.received_at
LEFT JOIN battery_forecasts b
    ON b.device = 'MODULE' AND b.device_id = coalesce(m.module_id, h.module_id) AND b.fitted_at <= clock.received_at AND b.used_until > clock.received_at
LEFT JOIN latest_module_states l ON l.module_id = coalesce(m.module_id, h.module_id)
LEFT JOIN findings s
    ON s.open AND s.rule LIKE 'delivery.%' AND s.rule = 'delivery.silent_module' AND s.module_id COLLATE "C" = coalesce(m.module_id, h.module_id)
LEFT JOIN findings j
    ON j.open AND j.rule LIKE 'delivery.%' AND j.rule = 'delivery.silent_concentrator' AND j.concentrator_id COLLATE "C" = h.concentrator_id
LEFT JOIN findings z
    ON z.open AND z.rule LIKE 'delivery.%' AND z.rule = 'delivery.battery' AND z.module_id COLLATE "C" = coalesce(m.module_id, h.module_id);
COMMENT ON VIEW v_modules IS 'Radio modules that are described or were heard. What is in force is so at the newest receipt of all.';
COMMENT ON COLUMN v_modules.module_id IS 'Radio module.';
COMMENT ON COLUMN v_modules.deleted IS 'Whether the register has deleted it.';
COMMENT ON COLUMN v_modules.packet_mode IS 'How often it is set to send; DAILY when none is known.';
COMMENT ON COLUMN v_modules.concentrator_id IS 'Concentrator that is set to gather it; null when any may.';
COMMENT ON COLUMN v_modules.allowance_days IS 'How much longer its days are awaited, by its mode and the session plan of its concentrator.';
COMMENT ON COLUMN v_modules.heard_at IS 'When it was last heard; null for never.';
COMMENT ON COLUMN v_modules.heard_by IS 'Concentrator that heard it last.';
COMMENT ON COLUMN v_modules.silent_since IS 'When it was last heard, if it is silent, by itself or with its concentrator; else null.';
COMMENT ON COLUMN v_modules.battery_type IS 'Battery in use.';
COMMENT ON COLUMN v_modules.battery_fitted_at IS 'When it was put in.';
COMMENT ON COLUMN v_modules.battery_forecast_end IS 'When it will be empty by type and packet mode (docs/batteries.md); null when nothing is known of the type.';
COMMENT ON COLUMN v_modules.battery_finding IS 'Why it should be changed; null while it need not be.';
COMMENT ON COLUMN v_modules.observed_at IS 'When its newest state was observed, by the clock of the concentrator.';
COMMENT ON COLUMN v_modules.battery_mv IS 'Voltage of its battery in mV, as it last said.';
COMMENT ON COLUMN v_modules.signal_dbm IS 'Signal strength at the concentrator in dBm.';
COMMENT ON COLUMN v_modules.firmware IS 'Version of its firmware.';
COMMENT ON COLUMN v_modules.told_packet_mode IS 'How often it sends, as it says itself.';
COMMENT ON COLUMN v_modules.clock_offset_s IS 'Seconds its clock is ahead of true time; null when unknown.';
COMMENT ON COLUMN v_modules.relay_path IS 'Modules that relay it, nearest to the concentrator first; empty when it is heard directly.';

CREATE VIEW v_concentrators AS
WITH gathered AS MATERIALIZED (
    SELECT
        m.heard_by AS concentrator_id,
        count(*) AS modules,
        count(m.silent_since) AS silent,
        sum(CASE WHEN m.silent_since IS NOT NULL THEN f.points ELSE 0 END) AS blind
    FROM (
        SELECT
            h.module_id,
            h.concentrator_id AS heard_by,
            coalesce(s.interval_start, j.interval_start) AS silent_since
        FROM modules_heard h
        LEFT JOIN findings s
            ON s.open AND s.rule LIKE 'delivery.%' AND s.rule = 'delivery.silent_module' AND s.module_id COLLATE "C" = h.module_id
        LEFT JOIN findings j
            ON
                j.open AND j.rule LIKE 'delivery.%' AND j.rule = 'delivery.silent_concentrator'
                AND j.concentrator_id COLLATE "C" = h.concentrator_id
    ) m
    CROSS JOIN clock
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT c.usage_point) AS points FROM channel_fittings c
        WHERE m.silent_since IS NOT NULL AND c.module_id = m.module_id
            AND c.fitted <= clock.received_at AND c.removed > clock.received_at
    ) f
    GROUP BY m.heard_by
)
SELECT
    k.concentrator_id,
    k.deleted,
    k.variant,
    k.sim_payer,
    k.object_path,
    k.session_plan,
    to_timestamp(k.heard_at) AS heard_at,
    s.interval_start AS silent_since,
    p.power,
    p.supply_mv,
    n.signal_dbm,
    b.backlog_packets,
    b.backlog_from_at,
    s.finding_id IS NOT NULL OR coalesce(b.backlog_packets > 0, false) AS backlog_expected,
    coalesce(g.modules, 0) AS modules,
    coalesce(g.silent, 0) AS silent_modules,
    coalesce(g.blind, 0)::bigint AS blind_usage_points,
    u.finding_id IS NOT NULL AS probably_unpaid,
    to_timestamp(e.forecast_end) AS battery_forecast_end,
    z.found AS battery_finding
FROM (
    SELECT
        coalesce(c.concentrator_id, h.concentrator_id) AS concentrator_id,
        coalesce(c.deleted, false) AS deleted,
        coalesce(c.variant, 'UNSPECIFIED') AS variant,
        coalesce(c.sim_payer, 'UNSPECIFIED') AS sim_payer,
        coalesce(c.object_path, '{}') AS object_path,
        (
            SELECT t.session_plan FROM session_plans t
            WHERE t.concentrator_id = c.concentrator_id AND t.valid_from <= clock.received_at AND t.valid_until > clock.received_at
        ) AS session_plan,
        h.heard_at,
        clock.received_at
    FROM concentrators c
    FULL JOIN concentrators_heard h ON h.concentrator_id = c.concentrator_id
    CROSS JOIN clock
) k
LEFT JOIN gathered g ON g.concentrator_id = k.concentrator_id
LEFT JOIN findings s
    ON
        s.open AND s.rule LIKE 'delivery.%' AND s.rule = 'delivery.silent_concentrator'
        AND s.concentrator_id COLLATE "C" = k.concentrator_id
LEFT JOIN findings u
    ON u.open AND u.rule LIKE 'delivery.%' AND u.rule = 'delivery.unpaid_sim' AND u.concentrator_id COLLATE "C" = k.concentrator_id
LEFT JOIN findings z
    ON z.open AND z.rule LIKE 'delivery.%' AND z.rule = 'delivery.battery' AND z.concentrator_id COLLATE "C" = k.concentrator_id
LEFT JOIN battery_forecasts e
    ON
        e.device = 'CONCENTRATOR' AND e.device_id = k.concentrator_id
        AND e.fitted_at <= k.received_at AND e.used_until > k.received_at
LEFT JOIN LATERAL (
    SELECT t.power, t.supply_mv FROM sessions t WHERE t.concentrator_id = k.concentrator_id AND t.power <> 'UNSPECIFIED'
    ORDER BY t.received_at DESC, t.packet_id DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT t.signal_dbm FROM sessions t WHERE t.concentrator_id = k.concentrator_id AND t.signal_dbm IS NOT NULL
    ORDER BY t.received_at DESC, t.packet_id DESC LIMIT 1
) n ON true
LEFT JOIN LATERAL (
    SELECT t.backlog_packets, t.backlog_from_at FROM sessions t
    WHERE t.concentrator_id = k.concentrator_id AND t.backlog_packets IS NOT NULL
    ORDER BY t.received_at DESC, t.packet_id DESC LIMIT 1
) b ON true;
COMMENT ON VIEW v_concentrators IS 'Concentrators that are described or were heard (docs/domain.md §3.18). What is in force is so at the newest receipt of all.';
COMMENT ON COLUMN v_concentrators.concentrator_id IS 'The concentrator.';
COMMENT ON COLUMN v_concentrators.deleted IS 'Whether the register has deleted it.';
COMMENT ON COLUMN v_concentrators.variant IS 'How it is built: MAINS, DIRECT_MAINS, DIRECT_BATTERY or SOLAR.';
COMMENT ON COLUMN v_concentrators.sim_payer IS 'Who pays its mobile subscription: UTILITY or CUSTOMER.';
COMMENT ON COLUMN v_concentrators.object_path IS 'Where it is: region, locality, street, building, entrance, as far as known.';
COMMENT ON COLUMN v_concentrators.session_plan IS 'How often it is set to call; null when not known.';
COMMENT ON COLUMN v_concentrators.heard_at IS 'When its last packet was received; null for never.';
COMMENT ON COLUMN v_concentrators.silent_since IS 'When it was last heard, or should first have been, if it is silent; else null.';
COMMENT ON COLUMN v_concentrators.power IS 'What it ran on, as it last said.';
COMMENT ON COLUMN v_concentrators.supply_mv IS 'Voltage it ran on then, in mV.';
COMMENT ON COLUMN v_concentrators.signal_dbm IS 'Signal of the mobile network in dBm, as it last said.';
COMMENT ON COLUMN v_concentrators.backlog_packets IS 'Packets it still held, as it last said.';
COMMENT ON COLUMN v_concentrators.backlog_from_at IS 'Start of the oldest interval it then held.';
COMMENT ON COLUMN v_concentrators.backlog_expected IS 'It is silent, or still holds packets: what is missing behind it may come.';
COMMENT ON COLUMN v_concentrators.modules IS 'Modules that it was the last to hear.';
COMMENT ON COLUMN v_concentrators.silent_modules IS 'Those of them that are silent, by themselves or with it.';
COMMENT ON COLUMN v_concentrators.blind_usage_points IS 'Usage points read by those: flats gone blind.';
COMMENT ON COLUMN v_concentrators.probably_unpaid IS 'It went silent on the mains and with a signal: probably nobody paid its mobile subscription.';
COMMENT ON COLUMN v_concentrators.battery_forecast_end IS 'When its battery in use will be empty by type and session plan (docs/batteries.md); null when nothing is known of the type.';
COMMENT ON COLUMN v_concentrators.battery_finding IS 'Why its battery should be changed; null while it need not be.';

GRANT SELECT ON v_deliveries, v_modules, v_concentrators TO balance_reader;

COMMENT ON COLUMN v_findings.concentrator_id IS 'Concentrator, when it is about one or about a packet of it.';
