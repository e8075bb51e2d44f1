CREATE TABLE markers_set_aside (
    markers text NOT NULL,
    subject_id int NOT NULL,
    day_start timestamptz NOT NULL,
    lane smallint NOT NULL,
    subject text NOT NULL,
    error text NOT NULL,
    set_aside_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (markers, subject_id, day_start)
);
COMMENT ON TABLE markers_set_aside IS 'Days that failed alone to be computed, until they are marked again.';
COMMENT ON COLUMN markers_set_aside.markers IS 'The table of markers they were in.';
COMMENT ON COLUMN markers_set_aside.subject IS 'Whose day it is, by name.';
