-- Secrets that all processes of a database share, made at random by the first that asks: what signs the sessions of the
-- observer. A role that reads this table may sign in as anybody, and could change every run anyway.
CREATE TABLE {schema}.secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
