-- What is searched for, apart from what changes at every step: columns that change only when the ownership of a run
-- begins or ends, or the run itself ends. The indexes of claims and lists have these alone, so an update of an owned
-- run touches no index. This rewrites the table.
--
-- asleep: nobody owns the run, and its due time lay ahead when it was stored; so claims find it by time. One of three
-- is filled for an active run without owner: ready_at, since when it has something to do; wakes_at, when it will have;
-- waits, if only mail wakes it. seldom is the state if a run enters it at most once.
DROP INDEX {schema}.runs_due;
DROP INDEX {schema}.runs_refused;
DROP INDEX {schema}.runs_blocked;
DROP INDEX {schema}.runs_listing_of_seldom;
ALTER TABLE {schema}.runs
    ADD COLUMN asleep boolean NOT NULL DEFAULT false,
    ADD COLUMN ready_at timestamptz GENERATED ALWAYS AS (
        CASE WHEN owner IS NULL AND state {is_active} AND NOT asleep THEN due_at END) STORED,
    ADD COLUMN wakes_at timestamptz GENERATED ALWAYS AS (
        CASE WHEN owner IS NULL AND state {is_active} AND asleep THEN due_at END) STORED,
    ADD COLUMN waits boolean GENERATED ALWAYS AS (
        CASE WHEN owner IS NULL AND state {is_active} AND due_at IS NULL THEN true END) STORED,
    ADD COLUMN seldom smallint GENERATED ALWAYS AS (
        CASE WHEN state IN ({state.blocked}, {state.failed}, {state.cancelled}, {state.continued}) THEN state END) STORED;
UPDATE {schema}.runs SET asleep = true WHERE ready_at > clock_timestamp();

-- Claims take turns between the groups of runs that are ready: of one workflow, version and namespace each.
CREATE INDEX runs_ready ON {schema}.runs (workflow, (coalesce(version, '')), namespace, ready_at)
    WHERE ready_at IS NOT NULL AND refused IS NULL;
-- Runs that some code refused are kept apart. Behind the workflow comes the code that refused last: that code skips all
-- of them in one step.
CREATE INDEX runs_refused ON {schema}.runs (workflow, (coalesce(refused[cardinality(refused)], '')),
                                            (coalesce(version, '')), refused, namespace, ready_at)
    WHERE ready_at IS NOT NULL AND refused IS NOT NULL;
CREATE INDEX runs_asleep ON {schema}.runs (wakes_at, workflow, version) WHERE wakes_at IS NOT NULL;
CREATE INDEX runs_waiting ON {schema}.runs (workflow, version) WHERE waits;
CREATE INDEX runs_blocked ON {schema}.runs (workflow) WHERE seldom = {state.blocked};
CREATE INDEX runs_listing_of_seldom ON {schema}.runs (seldom, namespace, workflow, started_at, id)
    WHERE seldom IS NOT NULL;

-- Runs that a claim may take, of one workflow, version and namespace, and refused by the same code or by none. `others`:
-- by code of another version.
CREATE TYPE {schema}.claim_group AS (
    workflow text, version text, namespace text, refused text[], since timestamptz, others boolean
);
