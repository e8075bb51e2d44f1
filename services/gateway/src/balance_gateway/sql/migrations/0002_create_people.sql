CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login text NOT NULL,
    role text NOT NULL,
    subtree text[] NOT NULL,
    locale text,
    is_active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    password_hash text NOT NULL,
    password_at timestamptz NOT NULL,
    is_one_time boolean NOT NULL,
    failures integer NOT NULL,
    locked_until timestamptz,
    totp_secret text,
    totp_step bigint
);
CREATE UNIQUE INDEX accounts_by_login ON accounts (lower(login));
COMMENT ON TABLE accounts IS 'People who may sign in.';
COMMENT ON COLUMN accounts.role IS 'consumer, technician, inspector, operator, administrator, auditor';
COMMENT ON COLUMN accounts.subtree IS 'Beginning of the object paths they may see; empty means all.';
COMMENT ON COLUMN accounts.locale IS 'en, ro, ru; null as the browser asks.';
COMMENT ON COLUMN accounts.password_hash IS 'Argon2id, with its parameters.';
COMMENT ON COLUMN accounts.is_one_time IS 'Given by somebody else: to be changed first, and soon.';
COMMENT ON COLUMN accounts.failures IS 'Attempts in succession that did not succeed, since the last lock.';
COMMENT ON COLUMN accounts.totp_secret IS 'Of the second factor, in base 32; null without one.';
COMMENT ON COLUMN accounts.totp_step IS 'Of the last code taken: none is taken twice.';

CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES accounts,
    signed_in_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account_id);
COMMENT ON TABLE sessions IS 'Who is signed in; SHA-256 of the token that the browser holds.';
COMMENT ON COLUMN sessions.seen_at IS 'To the minute.';

CREATE TABLE audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL,
    event text NOT NULL,
    login text,
    author text,
    address text,
    detail text
);
CREATE INDEX audit_by_login ON audit (login, number);
COMMENT ON TABLE audit IS 'Sign-ins, refusals and changes of accounts: rows are only ever added.';
COMMENT ON COLUMN audit.login IS 'Whose account it is about; null for an unknown login, for it may be a password.';
COMMENT ON COLUMN audit.author IS 'Who did it; null before signing in.';
COMMENT ON COLUMN audit.address IS 'IP address it came from; null from the command line.';

CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_forget();

CREATE VIEW v_audit AS SELECT number, happened_at, event, login, author, address, detail FROM audit;
COMMENT ON VIEW v_audit IS 'The audit trail, for administrators and auditors; not for balance_reader.';
