-- Changes of many runs that a person has asked for by a search. The process that executes one has a lease on it, and each of its parts
-- is one transaction: the changes, their record, the counts and the place that has been reached.
CREATE TABLE {schema}.operations (
    id uuid PRIMARY KEY,
    action text NOT NULL,
    arguments jsonb NOT NULL,
    -- The encoded value of a signal.
    payload bytea,
    search text NOT NULL,
    namespace text,
    -- What was started later is spared.
    until timestamptz NOT NULL,
    -- How many runs the search found before, as it was shown.
    expected text NOT NULL,
    -- Runs a second, NULL for as many as there can be.
    rate double precision,
    actor text NOT NULL,
    via text NOT NULL,
    reason text,
    -- running, paused, cancelled or completed.
    state text NOT NULL DEFAULT 'running',
    -- The runs up to this id have been looked at, in the order of ids.
    reached uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    done bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    -- The fence: it grows with every lease.
    token bigint NOT NULL DEFAULT 0,
    leased_until timestamptz NOT NULL DEFAULT '-infinity',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX operations_by_time ON {schema}.operations (created_at, id);
