-- Pauses. A run that is paused by itself says so in its row: nobody claims it, because the columns that claims look for are
-- empty then. This rewrites the table.
--
-- pause_lifted_at: when the run was asked to stop while it was paused; pauses that began before do not hold it, so that it
-- can compensate.
DROP INDEX {schema}.runs_ready;
DROP INDEX {schema}.runs_refused;
DROP INDEX {schema}.runs_asleep;
DROP INDEX {schema}.runs_waiting;
ALTER TABLE {schema}.runs
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN paused_by text,
    ADD COLUMN pause_reason text,
    ADD COLUMN pause_lifted_at timestamptz,
    DROP COLUMN ready_at,
    DROP COLUMN wakes_at,
    DROP COLUMN waits;
ALTER TABLE {schema}.runs
    ADD COLUMN ready_at timestamptz GENERATED ALWAYS AS (
        CASE WHEN owner IS NULL AND state {is_active} AND paused_at IS NULL AND NOT asleep THEN due_at END) STORED,
    ADD COLUMN wakes_at timestamptz GENERATED ALWAYS AS (
        CASE WHEN owner IS NULL AND state {is_active} AND paused_at IS NULL AND asleep THEN due_at END) STORED,
    ADD COLUMN waits boolean GENERATED ALWAYS AS (
        CASE WHEN owner IS NULL AND state {is_active} AND paused_at IS NULL AND due_at IS NULL THEN true END) STORED;
CREATE INDEX runs_ready ON {schema}.runs (workflow, (coalesce(version, '')), namespace, ready_at)
    WHERE ready_at IS NOT NULL AND refused IS NULL;
CREATE INDEX runs_refused ON {schema}.runs (workflow, (coalesce(refused[cardinality(refused)], '')),
                                            (coalesce(version, '')), refused, namespace, ready_at)
    WHERE ready_at IS NOT NULL AND refused IS NOT NULL;
CREATE INDEX runs_asleep ON {schema}.runs (wakes_at, workflow, version) WHERE wakes_at IS NOT NULL;
CREATE INDEX runs_waiting ON {schema}.runs (workflow, version) WHERE waits;
-- Few runs are in these, most of the time none. An owner looks for its own that are paused.
CREATE INDEX runs_paused ON {schema}.runs (owner, paused_at) WHERE paused_at IS NOT NULL AND completed_at IS NULL;
CREATE INDEX runs_lifted ON {schema}.runs (pause_lifted_at) WHERE pause_lifted_at IS NOT NULL AND completed_at IS NULL;

-- Pauses of many runs together. kind: workflow, of one namespace or of all, then that is empty; namespace; or queue, whose
-- activity tasks nobody claims.
CREATE TABLE {schema}.pauses (
    kind text NOT NULL,
    name text NOT NULL,
    namespace text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    paused_by text,
    reason text,
    number integer GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (kind, name, namespace)
);

-- held_by: a claim has met this task, and its run was paused: by the pause of this number, or by itself if that is 0. Claims
-- meet it no more until then. Most of the time it is NULL, which takes no room.
ALTER TABLE {schema}.tasks ADD COLUMN held_by integer;
DROP INDEX {schema}.tasks_pending;
CREATE INDEX tasks_pending ON {schema}.tasks (isolated, queue, priority DESC, due_at) WHERE owner IS NULL AND held_by IS NULL;
CREATE INDEX tasks_held ON {schema}.tasks (held_by, priority DESC, due_at) WHERE held_by IS NOT NULL;
