-- Files between a proposed import and its decision.

-- name: forget_uploads
DELETE FROM gateway.uploads WHERE expires_at < now()

-- name: keep_upload
INSERT INTO gateway.uploads (token, author, file_name, digest, content, expires_at)
VALUES (%(token)s, %(author)s, %(file_name)s, %(digest)s, %(content)s, now() + %(lasting)s)

-- name: kept_upload
SELECT file_name, digest, content FROM gateway.uploads
WHERE token = %(token)s AND author = %(author)s AND expires_at >= now()

-- name: drop_upload
DELETE FROM gateway.uploads WHERE token = %(token)s
