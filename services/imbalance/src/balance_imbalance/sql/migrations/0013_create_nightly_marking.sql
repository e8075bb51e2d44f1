CREATE TABLE nightly_marking (
    kind text PRIMARY KEY REFERENCES nightly ON DELETE CASCADE,
    first_to timestamptz NOT NULL,
    marked_to timestamptz NOT NULL
);
COMMENT ON TABLE nightly_marking IS 'How far the results of days that fell due were marked. Apart from their row, which who stores readings waits for.';
COMMENT ON COLUMN nightly_marking.first_to IS 'Up to this day what depends on anything stored is marked, and everybody''s results of later days.';
COMMENT ON COLUMN nightly_marking.marked_to IS 'Up to this day all is marked.';
COMMENT ON COLUMN nightly.done_to IS 'Last day that fell due; what is stored later of a day up to it marks by itself. See nightly_marking for how far it was marked.';

CREATE TABLE algorithms (
    results text PRIMARY KEY,
    version int NOT NULL
);
COMMENT ON TABLE algorithms IS 'Highest version of each computation that was ever at work: a worker with a lower one keeps off, for it would forget what changed.';
