CREATE TABLE markers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_id int NOT NULL,
    day_start timestamptz NOT NULL,
    lane smallint NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX markers_by_subject ON markers (subject_id, day_start);
COMMENT ON TABLE markers IS 'Days to be computed again. Rows are only added by writers and deleted by the worker.';
COMMENT ON COLUMN markers.lane IS '0 live, 1 backlog';
