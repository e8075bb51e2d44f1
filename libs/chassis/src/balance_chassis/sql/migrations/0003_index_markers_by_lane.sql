-- A recomputation of everything leaves millions of markers, among which what is due today must be found at once.
CREATE INDEX markers_but_recomputations ON markers (subject_id) WHERE lane < 2;
CREATE INDEX markers_of_recomputations ON markers (id) WHERE lane = 2;
COMMENT ON COLUMN markers.lane IS '0 live, 1 backlog, 2 recomputation';
