-- Runs that began with events of another as runs of their own: both count on what these events say, so a compensation of one
-- has undone it for both. A row outlives its fork, whose compensations nobody can read any more then; it goes when the whole
-- family has gone.
--
-- origin is the run whose first `events` events the fork has, root the first run of that one's chain, and family the first run
-- of the chain that the whole family comes from. is_lost: that chain was removed, and was open when the fork was made or later.
CREATE TABLE {schema}.forks (
    fork uuid PRIMARY KEY,
    family uuid NOT NULL,
    origin uuid NOT NULL,
    root uuid NOT NULL,
    events integer NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    is_lost boolean NOT NULL DEFAULT false
);
CREATE INDEX forks_family ON {schema}.forks (family);
-- A node of an earlier release would make forks that are not in this table.
DROP FUNCTION IF EXISTS {schema}.fork_run(
    uuid, uuid, boolean, text, smallint, integer, integer, integer, integer[], smallint[], timestamptz[], bytea[],
    smallint[], text[], text[], bytea[], uuid[], uuid, text[], smallint[], jsonb);
