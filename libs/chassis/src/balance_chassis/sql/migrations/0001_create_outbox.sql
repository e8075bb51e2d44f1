CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane smallint NOT NULL DEFAULT 0,
    topic text NOT NULL,
    keys jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outbox_by_lane ON outbox (lane, id);
COMMENT ON TABLE outbox IS 'What is to be published: keys whose current rows the publisher reads and sends.';
