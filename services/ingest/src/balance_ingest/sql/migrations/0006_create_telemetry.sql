CREATE TABLE module_events (
    event_id uuid PRIMARY KEY,
    module_id text COLLATE "C" NOT NULL,
    channel smallint,
    kind text NOT NULL,
    phase text NOT NULL,
    occurred_at timestamptz NOT NULL,
    value bigint,
    command_id text,
    concentrator_id text COLLATE "C" NOT NULL,
    received_at timestamptz NOT NULL
);
CREATE INDEX module_events_by_module ON module_events (module_id, occurred_at);
CREATE INDEX module_events_by_time ON module_events (occurred_at);
CREATE INDEX module_events_of_faults ON module_events (module_id)
WHERE kind IN ('SHORT_CIRCUIT', 'OPEN_CIRCUIT', 'NO_SENSOR', 'MAGNET');
COMMENT ON TABLE module_events IS 'What happened at modules: a set, each event as it was received first (docs/domain.md §2.7).';
COMMENT ON COLUMN module_events.event_id IS 'Made of everything from module_id to command_id.';
COMMENT ON COLUMN module_events.occurred_at IS 'By the clock of the module.';

CREATE TABLE module_states (
    module_id text COLLATE "C" NOT NULL,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    sequence bigint NOT NULL,
    module_clock_at timestamptz,
    clock_offset_s bigint,
    battery_mv smallint,
    signal_dbm smallint,
    concentrator_id text COLLATE "C" NOT NULL,
    packet_mode text COLLATE "C" NOT NULL,
    firmware text COLLATE "C",
    relay_path text[] COLLATE "C",
    PRIMARY KEY (module_id, observed_at)
)
-- if plain
PARTITION BY RANGE (observed_at)
-- end
;
COMMENT ON TABLE module_states IS 'States of modules as concentrators heard them (docs/domain.md §2.8).';
COMMENT ON COLUMN module_states.observed_at IS 'By the clock of the concentrator.';
COMMENT ON COLUMN module_states.clock_offset_s IS 'How far the module''s clock was ahead of true time, the concentrator''s own error taken off (docs/domain.md §3.13). The true instant is module_clock_at less this.';
COMMENT ON COLUMN module_states.relay_path IS 'Modules that relayed it, nearest to the concentrator first; null when it was heard directly.';

-- if timescaledb
SELECT create_hypertable('module_states', 'observed_at', chunk_time_interval => INTERVAL '28 days', create_default_indexes => false);
ALTER TABLE module_states SET (timescaledb.compress, timescaledb.compress_segmentby = 'module_id', timescaledb.compress_orderby = 'observed_at');
SELECT add_compression_policy('module_states', INTERVAL '45 days');
-- end

CREATE TABLE latest_module_states (
    module_id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    sequence bigint NOT NULL,
    module_clock_at timestamptz,
    clock_offset_s bigint,
    battery_mv smallint,
    signal_dbm smallint,
    concentrator_id text NOT NULL,
    packet_mode text NOT NULL,
    firmware text,
    relay_path text[]
) WITH (fillfactor = 70);
COMMENT ON TABLE latest_module_states IS 'The state of each module: that of module_states with the newest observed_at.';

CREATE TABLE odd_clocks (
    module_id text COLLATE "C" NOT NULL,
    observed_at timestamptz NOT NULL,
    heard_s bigint NOT NULL,
    clock_offset_s bigint NOT NULL,
    PRIMARY KEY (module_id, observed_at)
);
COMMENT ON TABLE odd_clocks IS 'Those of module_states that bear on readings: an offset above 60 s in size, or a concentrator whose clock was wrong. Without one of the former near it a day has no offset (docs/domain.md §3.13).';
COMMENT ON COLUMN odd_clocks.heard_s IS 'The true instant, seconds since 1970.';

CREATE TABLE sessions (
    concentrator_id text COLLATE "C" NOT NULL,
    packet_id text COLLATE "C" NOT NULL,
    received_at timestamptz NOT NULL,
    sequence bigint NOT NULL,
    sent_at timestamptz NOT NULL,
    clock_offset_s bigint NOT NULL,
    backlog_from_at timestamptz,
    supply_mv int,
    backlog_packets int,
    modules int NOT NULL,
    signal_dbm smallint,
    lane smallint NOT NULL,
    power text COLLATE "C" NOT NULL,
    PRIMARY KEY (concentrator_id, packet_id)
);
CREATE INDEX sessions_by_receipt ON sessions (concentrator_id, received_at);
CREATE INDEX sessions_by_time ON sessions (received_at);
COMMENT ON TABLE sessions IS 'Packets of concentrators, each as it was received first, and how the concentrator was (docs/domain.md §2.9).';
COMMENT ON COLUMN sessions.clock_offset_s IS 'How far the concentrator''s clock was ahead; 0 when that may be the way through the network.';
COMMENT ON COLUMN sessions.lane IS '0 live, 1 backlog: the topic it was received first by.';

ALTER TABLE channels ADD COLUMN doubted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN channels.doubted IS 'Its module told of a fault of its sensor, or its clock was wrong, at some time: only then need anybody look.';

CREATE VIEW v_module_events AS
SELECT
    replace(event_id::text, '-', '') AS event_id, module_id, channel, kind, phase, occurred_at, value, command_id,
    concentrator_id, received_at
FROM module_events;
COMMENT ON VIEW v_module_events IS 'What happened at modules and their sensors, each event once. Bound occurred_at or module_id in every query.';
COMMENT ON COLUMN v_module_events.event_id IS 'Identity: the same event has the same id on every delivery.';
COMMENT ON COLUMN v_module_events.module_id IS 'Radio module.';
COMMENT ON COLUMN v_module_events.channel IS 'Channel it is about; null when it is the module itself.';
COMMENT ON COLUMN v_module_events.kind IS 'What happened, e.g. OPEN_CIRCUIT, MAGNET, ACCESS, RELAY_STATE.';
COMMENT ON COLUMN v_module_events.phase IS 'BEGUN and ENDED bound a condition; OCCURRED happened once.';
COMMENT ON COLUMN v_module_events.occurred_at IS 'When, by the clock of the module.';
COMMENT ON COLUMN v_module_events.value IS 'Number that belongs to it, as the contract says of each kind.';
COMMENT ON COLUMN v_module_events.command_id IS 'Command it answers.';
COMMENT ON COLUMN v_module_events.concentrator_id IS 'Concentrator that delivered it first.';
COMMENT ON COLUMN v_module_events.received_at IS 'When it was first received.';

CREATE VIEW v_module_states AS
SELECT
    module_id, version, observed_at, received_at, concentrator_id, module_clock_at, clock_offset_s,
    battery_mv, signal_dbm, firmware, packet_mode, coalesce(relay_path, '{}') AS relay_path
FROM latest_module_states;
COMMENT ON VIEW v_module_states IS 'How each module is, as last heard.';
COMMENT ON COLUMN v_module_states.module_id IS 'Radio module, or a concentrator with a direct input.';
COMMENT ON COLUMN v_module_states.version IS 'Rises with each change.';
COMMENT ON COLUMN v_module_states.observed_at IS 'When the concentrator heard it, by the clock of the concentrator.';
COMMENT ON COLUMN v_module_states.received_at IS 'When it was received.';
COMMENT ON COLUMN v_module_states.concentrator_id IS 'Concentrator that heard it.';
COMMENT ON COLUMN v_module_states.module_clock_at IS 'What the module''s clock showed at that moment; null when it did not say.';
COMMENT ON COLUMN v_module_states.clock_offset_s IS 'Seconds its clock is ahead of true time; null when unknown.';
COMMENT ON COLUMN v_module_states.battery_mv IS 'Voltage of its battery in mV.';
COMMENT ON COLUMN v_module_states.signal_dbm IS 'Signal strength at the concentrator in dBm.';
COMMENT ON COLUMN v_module_states.firmware IS 'Version of its firmware.';
COMMENT ON COLUMN v_module_states.packet_mode IS 'How often it sends, as it says itself.';
COMMENT ON COLUMN v_module_states.relay_path IS 'Modules that relayed it, nearest to the concentrator first; empty when it was heard directly.';

CREATE VIEW v_module_state_history AS
SELECT
    module_id, observed_at, received_at, concentrator_id, module_clock_at, clock_offset_s,
    battery_mv, signal_dbm, firmware, packet_mode, coalesce(relay_path, '{}') AS relay_path
FROM module_states;
COMMENT ON VIEW v_module_state_history IS 'How modules were, each time they were heard. Bound observed_at in every query.';
COMMENT ON COLUMN v_module_state_history.module_id IS 'Radio module, or a concentrator with a direct input.';
COMMENT ON COLUMN v_module_state_history.observed_at IS 'When the concentrator heard it, by the clock of the concentrator. Bound this column in every query.';
COMMENT ON COLUMN v_module_state_history.received_at IS 'When it was received.';
COMMENT ON COLUMN v_module_state_history.concentrator_id IS 'Concentrator that heard it.';
COMMENT ON COLUMN v_module_state_history.module_clock_at IS 'What the module''s clock showed at that moment; null when it did not say.';
COMMENT ON COLUMN v_module_state_history.clock_offset_s IS 'Seconds its clock was ahead of true time; null when unknown.';
COMMENT ON COLUMN v_module_state_history.battery_mv IS 'Voltage of its battery in mV.';
COMMENT ON COLUMN v_module_state_history.signal_dbm IS 'Signal strength at the concentrator in dBm.';
COMMENT ON COLUMN v_module_state_history.firmware IS 'Version of its firmware.';
COMMENT ON COLUMN v_module_state_history.packet_mode IS 'How often it sends, as it says itself.';
COMMENT ON COLUMN v_module_state_history.relay_path IS 'Modules that relayed it, nearest to the concentrator first; empty when it was heard directly.';

CREATE VIEW v_sessions AS
SELECT
    concentrator_id, packet_id, sequence, sent_at, received_at, clock_offset_s, power, supply_mv, signal_dbm,
    backlog_packets, backlog_from_at, modules, CASE lane WHEN 0 THEN 'LIVE' ELSE 'BACKLOG' END AS lane
FROM sessions;
COMMENT ON VIEW v_sessions IS 'Packets that concentrators delivered, and how each concentrator was. Bound received_at or concentrator_id in every query.';
COMMENT ON COLUMN v_sessions.concentrator_id IS 'The concentrator.';
COMMENT ON COLUMN v_sessions.packet_id IS 'The packet.';
COMMENT ON COLUMN v_sessions.sequence IS 'Counter of the concentrator.';
COMMENT ON COLUMN v_sessions.sent_at IS 'Clock of the concentrator when it sent the packet.';
COMMENT ON COLUMN v_sessions.received_at IS 'Clock of the edge when it first received the packet.';
COMMENT ON COLUMN v_sessions.clock_offset_s IS 'Seconds its clock was ahead of the edge''s; 0 when that may be the way through the network.';
COMMENT ON COLUMN v_sessions.power IS 'What it ran on: MAINS, BACKUP, BATTERY, SOLAR or UNSPECIFIED.';
COMMENT ON COLUMN v_sessions.supply_mv IS 'Voltage it ran on, in mV.';
COMMENT ON COLUMN v_sessions.signal_dbm IS 'Signal strength of the mobile network in dBm.';
COMMENT ON COLUMN v_sessions.backlog_packets IS 'Packets it still held; null when it did not say.';
COMMENT ON COLUMN v_sessions.backlog_from_at IS 'Start of the oldest interval it still held.';
COMMENT ON COLUMN v_sessions.modules IS 'Modules the packet spoke of.';
COMMENT ON COLUMN v_sessions.lane IS 'LIVE or BACKLOG: the topic it was received first by.';

GRANT SELECT ON v_module_events, v_module_states, v_module_state_history, v_sessions TO balance_reader;
