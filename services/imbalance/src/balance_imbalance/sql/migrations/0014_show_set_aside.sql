CREATE VIEW v_set_aside AS
SELECT
    CASE markers
        WHEN 'markers' THEN 'GROUP_DAY'
        WHEN 'inadequacy_markers' THEN 'INADEQUACY_DAY'
        ELSE 'FORECAST'
    END AS result,
    subject AS subject_id,
    day_start,
    error,
    set_aside_at
FROM markers_set_aside;
COMMENT ON VIEW v_set_aside IS 'Results that could not be computed, each by itself; they are tried again an hour after they were set aside.';
COMMENT ON COLUMN v_set_aside.result IS 'What was to be computed.';
COMMENT ON COLUMN v_set_aside.subject_id IS 'Group or usage point.';
COMMENT ON COLUMN v_set_aside.day_start IS 'Start of the metering day, of a forecast that of the day it is as of.';
COMMENT ON COLUMN v_set_aside.error IS 'What stood against it the last time.';
COMMENT ON COLUMN v_set_aside.set_aside_at IS 'When that was.';
GRANT SELECT ON v_set_aside TO balance_reader;
