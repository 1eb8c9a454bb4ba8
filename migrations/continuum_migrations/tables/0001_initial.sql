-- Runs, their histories, and what dispatches them. Times are timestamptz on this server's clock.

CREATE SEQUENCE {schema}.fencing_token;

-- One row per node: what it reports about itself, for people and for `nodes list`.
CREATE TABLE {schema}.nodes (
    node text PRIMARY KEY,
    pid integer NOT NULL,
    address text NOT NULL,
    state text NOT NULL,
    processes jsonb NOT NULL DEFAULT '[]',
    workflows text[] NOT NULL DEFAULT '{}',
    drain boolean NOT NULL DEFAULT false,
    renewed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- One row per process that may own runs or tasks. The id is the epoch: a process that lost its lease
-- registers anew, and no id is used twice. `batch` numbers the last commit, so that a commit whose
-- result was lost can be looked up.
CREATE TABLE {schema}.workers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node text NOT NULL,
    role text NOT NULL,
    pid integer NOT NULL,
    -- The namespaces whose runs and activity tasks it claims; NULL for all.
    namespaces text[],
    batch bigint NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- state: 1 running, 2 suspended, 3 blocked, 4 completed, 5 failed, 6 cancelled.
CREATE TABLE {schema}.runs (
    id uuid PRIMARY KEY,
    workflow text NOT NULL,
    version text,
    namespace text NOT NULL,
    state smallint NOT NULL DEFAULT {state.running},
    owner bigint,
    -- The fencing token: it grows with every claim, and a write under an older one is rejected.
    token bigint NOT NULL DEFAULT 0,
    due_at timestamptz,
    attempt integer NOT NULL DEFAULT 0,
    deaths smallint NOT NULL DEFAULT 0,
    fresh boolean NOT NULL DEFAULT true,
    input bytea NOT NULL,
    result bytea,
    error bytea,
    -- Why it is blocked, as a sentence and as facts for programs.
    reason text,
    fault jsonb,
    attributes jsonb NOT NULL DEFAULT '{}',
    idempotency_key text,
    trace_context text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at timestamptz,
    -- The parent, and the parent's command that waits for the end; no command waits once the parent continued as new.
    parent_id uuid,
    parent_seq integer,
    -- What the parent's end does: 1 cancels when the parent was cancelled, 2 cancels in any case, 3 nothing.
    close_policy smallint,
    depth integer NOT NULL DEFAULT 0,
    has_children boolean NOT NULL DEFAULT false,
    -- The first run of its chain; NULL for that one itself.
    root uuid,
    continued_from uuid,
    continued_to uuid,
    -- The versions that found their code different from its history, latest last; see table refusals.
    refused text[],
    retain_until timestamptz,
    CHECK (state BETWEEN {state.running} AND {state.cancelled}),
    CHECK (owner IS NULL OR state {is_active})
) WITH (fillfactor = 70);

-- What may be claimed, in the order it is claimed, for the versions that a worker has loaded. Runs that some
-- code refused are kept apart, in groups of the same refusals: a claim that may not take them skips a group in
-- one step, however many runs are in it.
CREATE INDEX runs_due ON {schema}.runs (workflow, version, due_at)
    WHERE owner IS NULL AND state {is_active} AND refused IS NULL;
CREATE INDEX runs_refused ON {schema}.runs (workflow, version, refused, due_at)
    WHERE owner IS NULL AND state {is_active} AND refused IS NOT NULL;
CREATE INDEX runs_owner ON {schema}.runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX runs_blocked ON {schema}.runs (workflow) WHERE state = {state.blocked};
CREATE INDEX runs_listing ON {schema}.runs (namespace, started_at, id);
CREATE UNIQUE INDEX runs_idempotency ON {schema}.runs (namespace, workflow, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_attributes ON {schema}.runs USING gin (attributes jsonb_path_ops) WHERE attributes <> '{}';
CREATE INDEX runs_parent ON {schema}.runs (parent_id) WHERE parent_id IS NOT NULL;
-- The latest run of a chain is the one that continued nowhere.
CREATE INDEX runs_chain ON {schema}.runs (root, continued_to) WHERE root IS NOT NULL;
CREATE INDEX runs_retained ON {schema}.runs (retain_until) WHERE retain_until IS NOT NULL;

CREATE TABLE {schema}.events (
    run_id uuid NOT NULL,
    seq integer NOT NULL,
    type smallint NOT NULL,
    at timestamptz NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- Copies of the beginnings of long histories, so that they load as few rows; the events stay. A snapshot comes in
-- parts, each beginning where the one before ends, in a form that only replay reads, by the code it was taken under.
CREATE TABLE {schema}.snapshots (
    run_id uuid NOT NULL,
    first_seq integer NOT NULL,
    events integer NOT NULL,
    format smallint NOT NULL,
    version text NOT NULL,
    payload bytea NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, first_seq)
);

-- What anyone has for a run, until its owner turns it into history. A row is the
-- durable evidence that the run has something to do.
CREATE TABLE {schema}.inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL,
    kind smallint NOT NULL,
    name text NOT NULL,
    key text,
    payload bytea NOT NULL
);
CREATE INDEX inbox_run ON {schema}.inbox (run_id, id);
CREATE UNIQUE INDEX inbox_key ON {schema}.inbox (run_id, kind, name, key) WHERE key IS NOT NULL;

-- Delivery ids outlive the inbox rows they came with.
CREATE TABLE {schema}.deliveries (
    run_id uuid NOT NULL,
    name text NOT NULL,
    delivery_id text NOT NULL,
    PRIMARY KEY (run_id, name, delivery_id)
);

-- Activities that any worker may claim. A row is deleted once its result is recorded.
CREATE TABLE {schema}.tasks (
    run_id uuid NOT NULL,
    seq integer NOT NULL,
    dispatch integer NOT NULL,
    attempt integer NOT NULL,
    queue text NOT NULL,
    priority integer NOT NULL,
    isolated boolean NOT NULL,
    activity text NOT NULL,
    arguments bytea NOT NULL,
    timeout double precision NOT NULL,
    key text,
    node text,
    owner bigint,
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_at timestamptz,
    PRIMARY KEY (run_id, seq)
) WITH (fillfactor = 70);
CREATE INDEX tasks_pending ON {schema}.tasks (isolated, queue, priority DESC, due_at) WHERE owner IS NULL;
CREATE INDEX tasks_owner ON {schema}.tasks (owner) WHERE owner IS NOT NULL;

CREATE TABLE {schema}.heartbeats (
    run_id uuid NOT NULL,
    seq integer NOT NULL,
    details bytea NOT NULL,
    PRIMARY KEY (run_id, seq)
) WITH (fillfactor = 50);

-- Results under idempotency keys, across runs. They outlive histories.
CREATE TABLE {schema}.activity_results (
    activity text NOT NULL,
    key text NOT NULL,
    run_id uuid NOT NULL,
    result bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (activity, key)
);

-- The code that nodes have loaded.
CREATE TABLE {schema}.versions (
    workflow text NOT NULL,
    version text NOT NULL,
    label text NOT NULL,
    module text NOT NULL,
    signals jsonb,
    source bytea,
    -- How long its runs are kept after their end, in seconds; NULL for ever.
    retention double precision,
    registered_at timestamptz NOT NULL,
    PRIMARY KEY (workflow, version)
);

-- Which code was found to differ from the history of which run.
CREATE TABLE {schema}.refusals (
    run_id uuid NOT NULL,
    version text NOT NULL,
    reason text NOT NULL,
    fault jsonb,
    refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, version)
);

-- The latest values that the runs of a chain have published.
CREATE TABLE {schema}.published_values (
    root uuid NOT NULL,
    name text NOT NULL,
    value bytea NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (root, name)
) WITH (fillfactor = 50);

-- The parts of a batch of writes, for `commit_batch`: arrays, one element for each run, event, and so on.

-- The runs that the batch writes to. `depth` counts their ancestors; it is empty when they are of one generation.
-- A token of {token.lock_only} means: lock the run in its place, nothing is written to it.
CREATE TYPE {schema}.commit_runs AS (id uuid[], token bigint[], depth integer[]);

CREATE TYPE {schema}.commit_events AS (run uuid[], seq integer[], type smallint[], at timestamptz[], payload bytea[]);

CREATE TYPE {schema}.commit_transitions AS (
    run uuid[], state smallint[], due timestamptz[], release boolean[], result bytea[], error bytea[],
    reason text[], fault text[], progress boolean[], retention double precision[]
);

CREATE TYPE {schema}.commit_tasks AS (
    run uuid[], seq integer[], dispatch integer[], attempt integer[], queue text[], priority integer[],
    isolated boolean[], activity text[], arguments bytea[], timeout double precision[], key text[], node text[]
);

CREATE TYPE {schema}.commit_dropped AS (run uuid[], seq integer[]);

-- What writes mean for other runs and for versions: new children, cancel requests, successors with the signals they
-- inherit, published values, changed versions, refusals.
CREATE TYPE {schema}.commit_family AS (
    child_parent uuid[], child_seq integer[], child_id uuid[], child_workflow text[], child_input bytea[],
    child_policy smallint[],
    cancel_run uuid[], cancel_child uuid[],
    next_run uuid[], next_id uuid[], next_workflow text[], next_input bytea[],
    signal_run uuid[], signal_name text[], signal_payload bytea[],
    published_run uuid[], published_name text[], published_value bytea[],
    version_run uuid[], version text[],
    refused_run uuid[], refused_version text[], refused_reason text[], refused_fault text[]
);
