-- Statements on accounts, sessions and the audit trail. Instants are those of the caller's clock.

-- name: account_by_login
SELECT id, login, role, subtree, locale, is_active, is_one_time, totp_secret IS NOT NULL AS has_second_factor
FROM gateway.accounts WHERE lower(login) = lower(%(login)s)

-- name: account_by_id
SELECT id, login, role, subtree, locale, is_active, is_one_time, totp_secret IS NOT NULL AS has_second_factor
FROM gateway.accounts WHERE id = %(id)s

-- name: all_accounts
SELECT id, login, role, subtree, locale, is_active, is_one_time, totp_secret IS NOT NULL AS has_second_factor
FROM gateway.accounts ORDER BY lower(login)

-- name: attempts_of
SELECT failures, locked_until FROM gateway.accounts WHERE id = %(id)s FOR UPDATE

-- name: wait_for_no_disk
-- Counting an attempt must take no longer than finding no account; one lost in a crash does not matter.
SET LOCAL synchronous_commit = off

-- name: keep_attempts
UPDATE gateway.accounts SET failures = %(failures)s, locked_until = %(locked_until)s WHERE id = %(id)s

-- name: give_attempt_back
-- It did succeed.
UPDATE gateway.accounts
SET failures = greatest(failures - 1, 0), locked_until = NULL
WHERE id = %(id)s

-- name: forget_attempts
UPDATE gateway.accounts SET failures = 0, locked_until = NULL WHERE id = %(id)s

-- name: keep_locale
UPDATE gateway.accounts SET locale = %(locale)s WHERE id = %(id)s

-- name: password_of
SELECT password_hash, password_at, is_one_time FROM gateway.accounts WHERE id = %(id)s

-- name: keep_password
UPDATE gateway.accounts
SET password_hash = %(password_hash)s, password_at = %(now)s, is_one_time = %(is_one_time)s,
    failures = 0, locked_until = NULL
WHERE id = %(id)s

-- name: rehash_password
UPDATE gateway.accounts SET password_hash = %(fresh)s WHERE id = %(id)s AND password_hash = %(stale)s

-- name: second_factor_of
SELECT totp_secret FROM gateway.accounts WHERE id = %(id)s

-- name: take_step
-- A code is taken once, though it be given twice at a time.
UPDATE gateway.accounts SET totp_step = %(step)s
WHERE id = %(id)s AND (totp_step IS NULL OR totp_step < %(step)s)

-- name: keep_second_factor
UPDATE gateway.accounts SET totp_secret = %(secret)s, totp_step = %(step)s WHERE id = %(id)s

-- name: add_account
INSERT INTO gateway.accounts
    (login, role, subtree, locale, is_active, created_at, password_hash, password_at, is_one_time, failures)
VALUES (%(login)s, %(role)s, %(subtree)s, %(locale)s, true, %(now)s, %(password_hash)s, %(now)s, true, 0)
ON CONFLICT (lower(login)) DO NOTHING
RETURNING id

-- name: keep_role
UPDATE gateway.accounts SET role = %(role)s, subtree = %(subtree)s WHERE id = %(id)s

-- name: keep_state
UPDATE gateway.accounts SET is_active = %(is_active)s WHERE id = %(id)s

-- name: open_session
INSERT INTO gateway.sessions (token_hash, account_id, signed_in_at, seen_at)
VALUES (%(token_hash)s, %(id)s, %(now)s, %(now)s)

-- name: session_of
SELECT s.signed_in_at, s.seen_at, a.id, a.login, a.role, a.subtree, a.locale, a.is_active, a.is_one_time,
    a.totp_secret IS NOT NULL AS has_second_factor
FROM gateway.sessions s JOIN gateway.accounts a ON a.id = s.account_id
WHERE s.token_hash = %(token_hash)s

-- name: see_session
UPDATE gateway.sessions SET seen_at = %(now)s WHERE token_hash = %(token_hash)s

-- name: end_session
DELETE FROM gateway.sessions WHERE token_hash = %(token_hash)s

-- name: end_sessions
DELETE FROM gateway.sessions WHERE account_id = %(id)s AND token_hash IS DISTINCT FROM %(but)s

-- name: forget_old_sessions
DELETE FROM gateway.sessions WHERE signed_in_at < %(before)s

-- name: log_event
INSERT INTO gateway.audit (happened_at, event, login, author, address, detail)
VALUES (%(now)s, %(event)s, %(login)s, %(author)s, %(address)s, %(detail)s)

-- name: audit_trail
SELECT number, happened_at, event, login, author, address, detail FROM gateway.v_audit
WHERE (%(login)s::text IS NULL OR lower(login) = lower(%(login)s) OR lower(author) = lower(%(login)s))
  AND (%(before)s::bigint IS NULL OR number < %(before)s)
ORDER BY number DESC LIMIT %(most)s
