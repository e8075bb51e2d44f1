CREATE TABLE estimated_days (
    usage_point int NOT NULL,
    day_start timestamptz NOT NULL,
    PRIMARY KEY (usage_point, day_start)
);
COMMENT ON TABLE estimated_days IS 'Days with hours of closed gaps: they are computed again when a day changes from which their profile is taken (docs/domain.md §3.11).';
