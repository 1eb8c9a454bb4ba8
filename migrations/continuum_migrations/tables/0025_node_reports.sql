-- What nodes report of themselves while somebody looks: the live tree of their processes and actors. A node learns with its
-- renewal that a report is wanted, and brings it with the next one. Unlogged, because a report of a moment is worth no WAL:
-- after a crash of the server the table is empty, and those who still look ask again.
--
-- stacks_asked counts the requests for stacks, stacks_told is the last one that was answered.
CREATE UNLOGGED TABLE {schema}.node_reports (
    node text PRIMARY KEY,
    wanted_until timestamptz NOT NULL,
    stacks_asked bigint NOT NULL DEFAULT 0,
    stacks_told bigint NOT NULL DEFAULT 0,
    report jsonb,
    reported_at timestamptz,
    stacks jsonb,
    stacks_at timestamptz
);
