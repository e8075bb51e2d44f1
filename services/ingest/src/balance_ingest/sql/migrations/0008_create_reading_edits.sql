CREATE TABLE reading_edits (
    edit_id text NOT NULL,
    version bigint NOT NULL,
    newest boolean NOT NULL,
    standing boolean NOT NULL,
    usage_point_id text NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    "values" bigint[],
    of_conflict text NOT NULL,
    reason text NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (edit_id, version)
);
CREATE INDEX reading_edits_that_count ON reading_edits (usage_point_id) WHERE newest AND standing;
COMMENT ON TABLE reading_edits IS 'Operators'' decisions about readings, every version of each (docs/domain.md §3.12).';
COMMENT ON COLUMN reading_edits.newest IS 'Whether it is the greatest version of its decision; only that may count.';
COMMENT ON COLUMN reading_edits."values" IS 'Base units, one an hour; null for a confirmation.';

CREATE VIEW v_reading_edits AS
SELECT
    edit_id,
    version,
    CASE WHEN standing THEN 'STANDING' ELSE 'WITHDRAWN' END AS state,
    newest,
    newest AND standing AS counts,
    usage_point_id,
    start_at,
    end_at,
    CASE WHEN "values" IS NULL THEN 'CONFIRM' ELSE 'EDIT' END AS action,
    "values",
    of_conflict,
    reason,
    decided_by,
    decided_at,
    received_at
FROM reading_edits;
COMMENT ON VIEW v_reading_edits IS 'Operators'' decisions about readings, every version of each (docs/domain.md §3.12).';
COMMENT ON COLUMN v_reading_edits.edit_id IS 'Identity of the decision.';
COMMENT ON COLUMN v_reading_edits.version IS 'Rises with each change: withdrawn, and standing again.';
COMMENT ON COLUMN v_reading_edits.state IS 'STANDING or WITHDRAWN, by this version.';
COMMENT ON COLUMN v_reading_edits.newest IS 'Whether this is its greatest version.';
COMMENT ON COLUMN v_reading_edits.counts IS 'Whether it is laid over readings: its newest version stands.';
COMMENT ON COLUMN v_reading_edits.usage_point_id IS 'Usage point it is about.';
COMMENT ON COLUMN v_reading_edits.start_at IS 'Start of the first hour.';
COMMENT ON COLUMN v_reading_edits.end_at IS 'End of the last hour, not included.';
COMMENT ON COLUMN v_reading_edits.action IS 'EDIT puts values in place, CONFIRM releases what was quarantined.';
COMMENT ON COLUMN v_reading_edits."values" IS 'EDIT: base units, one an hour; else null.';
COMMENT ON COLUMN v_reading_edits.of_conflict IS 'CONFIRM: SMALLEST or LARGEST of reports that differ; UNSPECIFIED: none of them.';
COMMENT ON COLUMN v_reading_edits.reason IS 'Code of the reason.';
COMMENT ON COLUMN v_reading_edits.decided_by IS 'Account id of the operator.';
COMMENT ON COLUMN v_reading_edits.decided_at IS 'When it was decided; of two decisions about one hour the later counts.';
COMMENT ON COLUMN v_reading_edits.received_at IS 'When this version came.';

GRANT SELECT ON v_reading_edits TO balance_reader;
