-- Secrets that all processes of a database share.

-- name: shared_secret
-- Return a secret; store the one given if there is none.
INSERT INTO {schema}.secrets AS s (name, value) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET value = s.value
RETURNING s.value
