CREATE TABLE edge_counters (
    concentrator_id text PRIMARY KEY,
    epoch int NOT NULL DEFAULT 0,
    highest bigint NOT NULL DEFAULT -1,
    highest_before bigint NOT NULL DEFAULT -1
);
COMMENT ON TABLE edge_counters IS 'How far the packet counter of each concentrator behind an edge has come. Its row is locked by whoever numbers packets.';
COMMENT ON COLUMN edge_counters.epoch IS 'How often the counter began anew: the high half of a sequence.';
COMMENT ON COLUMN edge_counters.highest IS 'Greatest number of this epoch, -1 for none.';
COMMENT ON COLUMN edge_counters.highest_before IS 'Greatest number of the epoch before, -1 for none.';

CREATE TABLE edge_packets (
    concentrator_id text NOT NULL,
    packet_id text NOT NULL,
    fingerprint bigint NOT NULL,
    epoch int NOT NULL,
    counter bigint NOT NULL,
    numbered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (concentrator_id, packet_id, fingerprint)
);
CREATE INDEX edge_packets_by_counter ON edge_packets (concentrator_id, counter);
COMMENT ON TABLE edge_packets IS 'Packets an edge has numbered within the last 35 days: one that comes again keeps its number.';
COMMENT ON COLUMN edge_packets.fingerprint IS 'Of its evidence: a device that uses an id again for something else sends another packet.';
