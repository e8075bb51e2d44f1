CREATE TABLE nightly (
    kind text PRIMARY KEY,
    done_to timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE nightly IS 'Results computed once a metering day. Who lets days fall due holds the row FOR UPDATE, who stores what they depend on FOR SHARE.';
COMMENT ON COLUMN nightly.done_to IS 'Last day that fell due: all of it was marked; what is stored later of a day up to it marks by itself.';

CREATE TABLE forecast_markers (LIKE markers INCLUDING ALL);
CREATE TABLE group_forecast_markers (LIKE markers INCLUDING ALL);
COMMENT ON TABLE forecast_markers IS 'Forecasts of usage points to be computed, by the day they are as of.';
COMMENT ON TABLE group_forecast_markers IS 'Forecasts of groups to be computed, by the day they are as of.';
INSERT INTO nightly (kind) VALUES ('forecast'), ('group_forecast');
