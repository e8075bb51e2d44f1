CREATE TABLE set_aside (
    channel_id int NOT NULL REFERENCES channels,
    day_start timestamptz NOT NULL,
    reason text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel_id, day_start)
);
COMMENT ON TABLE set_aside IS 'Marked days whose computation fails by itself, so that it does not hold up all others. They are marked again when the worker starts.';

CREATE VIEW v_set_aside AS
SELECT c.module_id, c.channel, s.day_start, s.reason, s.failed_at
FROM set_aside s
JOIN channels c USING (channel_id);
COMMENT ON VIEW v_set_aside IS 'Days that could not be computed, by a fault of the program: their readings are as they were before.';
COMMENT ON COLUMN v_set_aside.module_id IS 'Radio module.';
COMMENT ON COLUMN v_set_aside.channel IS 'Channel of the module.';
COMMENT ON COLUMN v_set_aside.day_start IS 'Start of the metering day.';
COMMENT ON COLUMN v_set_aside.reason IS 'What went wrong.';
COMMENT ON COLUMN v_set_aside.failed_at IS 'When.';

GRANT SELECT ON v_set_aside TO balance_reader;
