ALTER TABLE reading_days ADD COLUMN greatest bigint;
COMMENT ON COLUMN reading_days.greatest IS 'Greatest hour of a day that is VALID or EDITED throughout; else null.';

CREATE TABLE reading_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    usage_points int[] NOT NULL,
    days bigint[] NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE reading_changes IS 'Reading days that changed and are yet to be judged by docs/domain.md §3.15: pairs, by position.';
COMMENT ON COLUMN reading_changes.days IS 'Starts of days, seconds since 1970.';
