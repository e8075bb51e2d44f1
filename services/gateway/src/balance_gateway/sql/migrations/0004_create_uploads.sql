CREATE TABLE uploads (
    token text PRIMARY KEY,
    author text NOT NULL,
    file_name text NOT NULL,
    digest bytea NOT NULL,
    content bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX uploads_by_expiry ON uploads (expires_at);
COMMENT ON TABLE uploads IS 'Files whose import was proposed and is not decided yet.';
COMMENT ON COLUMN uploads.token IS 'Names it to who gave it; not to be guessed.';
COMMENT ON COLUMN uploads.author IS 'Who gave it, and alone may let it be imported.';
COMMENT ON COLUMN uploads.digest IS 'SHA-256 of the content.';
COMMENT ON COLUMN uploads.expires_at IS 'After that it is deleted by the next that comes.';
