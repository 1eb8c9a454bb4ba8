-- Runs, their histories, and what dispatches them. Times are timestamptz on this server's clock.

CREATE SEQUENCE {schema}.fencing_token;

-- One row per node: what it says of itself, for people and for `nodes list`.
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

-- One row per process that may own runs or tasks. The id is the epoch: a process
-- registers anew after losing it, and no id is used twice. `batch` numbers the last
-- commit, so that a commit whose answer was lost can be looked up.
CREATE TABLE {schema}.workers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node text NOT NULL,
    role text NOT NULL,
    pid integer NOT NULL,
    batch bigint NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- state: 1 running, 2 suspended, 3 blocked, 4 completed, 5 failed, 6 cancelled.
CREATE TABLE {schema}.runs (
    id uuid PRIMARY KEY,
    workflow text NOT NULL,
    version text,
    namespace text NOT NULL,
    state smallint NOT NULL DEFAULT 1,
    owner bigint,
    token bigint NOT NULL DEFAULT 0,
    due_at timestamptz,
    attempt integer NOT NULL DEFAULT 0,
    deaths smallint NOT NULL DEFAULT 0,
    fresh boolean NOT NULL DEFAULT true,
    input bytea NOT NULL,
    result bytea,
    error bytea,
    reason text,
    attributes jsonb NOT NULL DEFAULT '{}',
    idempotency_key text,
    trace_context text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at timestamptz,
    CHECK (state BETWEEN 1 AND 6),
    CHECK (owner IS NULL OR state <= 2)
) WITH (fillfactor = 70);

-- What may be claimed, in the order it is claimed, for the workflows that a worker has loaded.
CREATE INDEX runs_due ON {schema}.runs (workflow, due_at) WHERE owner IS NULL AND state <= 2;
CREATE INDEX runs_owner ON {schema}.runs (owner) WHERE owner IS NOT NULL;
CREATE INDEX runs_blocked ON {schema}.runs (workflow) WHERE state = 3;
CREATE INDEX runs_listing ON {schema}.runs (namespace, started_at, id);
CREATE UNIQUE INDEX runs_idempotency ON {schema}.runs (namespace, workflow, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_attributes ON {schema}.runs USING gin (attributes jsonb_path_ops) WHERE attributes <> '{}';

CREATE TABLE {schema}.events (
    run_id uuid NOT NULL,
    seq integer NOT NULL,
    type smallint NOT NULL,
    at timestamptz NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (run_id, seq)
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

-- Activities to be run by whoever claims them. Gone once answered.
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

-- A hint on `topic`, with the ids when they fit into one notification.
CREATE FUNCTION {schema}.hint(topic text, ids text[]) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_notify(topic, CASE WHEN cardinality(ids) <= 200 THEN array_to_string(ids, ',') ELSE '' END)
$$;

-- The one write path of run owners. The worker's row is locked by its update, so that
-- whoever takes the lease away waits for us, or we find no row after it; then every run
-- is locked in id order and its token compared. Indexes are forced: a plan made while
-- the tables were small would scan them for ever.
CREATE FUNCTION {schema}.commit_batch(
    p_worker bigint, p_batch bigint,
    p_runs uuid[], p_tokens bigint[],
    e_run uuid[], e_seq integer[], e_type smallint[], e_at timestamptz[], e_payload bytea[],
    p_consumed bigint[],
    t_run uuid[], t_state smallint[], t_due timestamptz[], t_release boolean[],
    t_result bytea[], t_error bytea[], t_reason text[], t_progress boolean[],
    k_run uuid[], k_seq integer[], k_dispatch integer[], k_attempt integer[], k_queue text[], k_priority integer[],
    k_isolated boolean[], k_activity text[], k_arguments bytea[], k_timeout double precision[], k_key text[],
    k_node text[],
    d_run uuid[], d_seq integer[],
    p_done_topic text, p_tasks_topic text, p_work_topic text
) RETURNS TABLE (at timestamptz, rejected uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_held uuid[];
    v_all boolean;
BEGIN
    UPDATE {schema}.workers SET batch = p_batch
    WHERE id = p_worker AND batch < p_batch AND expires_at > clock_timestamp();
    IF NOT FOUND THEN
        -- A batch whose answer was lost is asked for again; it was applied, so only its outcome is told.
        RETURN QUERY
        SELECT clock_timestamp(), ARRAY(
            SELECT u.id FROM unnest(p_runs, p_tokens) AS u (id, token)
            WHERE NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = u.id AND r.token = u.token))
        FROM {schema}.workers w WHERE w.id = p_worker AND w.batch = p_batch;
        RETURN;
    END IF;

    SELECT coalesce(array_agg(h.id), '{}') INTO v_held FROM (
        SELECT r.id
        FROM unnest(p_runs, p_tokens) AS u (id, token)
        CROSS JOIN LATERAL (
            SELECT x.id FROM {schema}.runs x
            -- Not "=", which would let the plan look through all that the worker owns for each run.
            WHERE x.id = u.id AND x.token = u.token AND x.owner IS NOT DISTINCT FROM p_worker
            FOR NO KEY UPDATE
        ) r
    ) h;
    v_all := cardinality(v_held) = cardinality(p_runs);

    IF cardinality(e_run) > 0 THEN
        INSERT INTO {schema}.events (run_id, seq, type, at, payload)
        SELECT e.run_id, e.seq, e.type, e.at, e.payload
        FROM unnest(e_run, e_seq, e_type, e_at, e_payload) AS e (run_id, seq, type, at, payload)
        WHERE v_all OR e.run_id = ANY (v_held);
    END IF;

    IF cardinality(p_consumed) > 0 THEN
        DELETE FROM {schema}.inbox i WHERE i.id = ANY (p_consumed) AND (v_all OR i.run_id = ANY (v_held));
    END IF;

    IF cardinality(d_run) > 0 THEN
        DELETE FROM {schema}.tasks t USING unnest(d_run, d_seq) AS d (run_id, seq)
        WHERE t.run_id = d.run_id AND t.seq = d.seq AND (v_all OR d.run_id = ANY (v_held));
    END IF;

    IF cardinality(k_run) > 0 THEN
        INSERT INTO {schema}.tasks (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments,
                                    timeout, key, node)
        SELECT k.* FROM unnest(k_run, k_seq, k_dispatch, k_attempt, k_queue, k_priority, k_isolated, k_activity,
                               k_arguments, k_timeout, k_key, k_node)
            AS k (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments, timeout, key, node)
        WHERE v_all OR k.run_id = ANY (v_held)
        ON CONFLICT (run_id, seq) DO UPDATE SET dispatch = excluded.dispatch, attempt = excluded.attempt,
            node = excluded.node, owner = NULL, due_at = clock_timestamp(), claimed_at = NULL
            WHERE tasks.dispatch < excluded.dispatch;
        PERFORM {schema}.hint(p_tasks_topic, '{}');
    END IF;

    IF cardinality(t_run) > 0 THEN
        UPDATE {schema}.runs r
        SET state = t.state,
            -- Mail that waits for a run nobody owns makes it due, also mail that came during the release.
            due_at = CASE WHEN t.release AND EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id)
                          THEN clock_timestamp() ELSE t.due END,
            owner = CASE WHEN t.release OR t.state >= 3 THEN NULL ELSE r.owner END,
            result = t.result,
            error = t.error,
            reason = t.reason,
            deaths = CASE WHEN t.progress THEN 0 ELSE r.deaths END,
            fresh = false,
            updated_at = clock_timestamp(),
            completed_at = CASE WHEN t.state >= 4 THEN clock_timestamp() END
        FROM unnest(t_run, t_state, t_due, t_release, t_result, t_error, t_reason, t_progress)
            AS t (run_id, state, due, release, result, error, reason, progress)
        WHERE r.id = t.run_id AND (v_all OR t.run_id = ANY (v_held));
        IF true = ANY (t_release) AND EXISTS (
            SELECT FROM unnest(t_run, t_release) AS t (run_id, release) JOIN {schema}.runs r ON r.id = t.run_id
            WHERE t.release AND r.due_at < clock_timestamp() + interval '15 seconds'
        ) THEN
            -- Whoever naps until something later is due must hear of it.
            PERFORM {schema}.hint(p_work_topic, '{}');
        END IF;
        IF EXISTS (SELECT FROM unnest(t_state) AS s (state) WHERE s.state >= 4) THEN
            DELETE FROM {schema}.tasks k USING unnest(t_run, t_state) AS t (run_id, state)
            WHERE k.run_id = t.run_id AND t.state >= 4 AND (v_all OR k.run_id = ANY (v_held));
            PERFORM {schema}.hint(p_done_topic, (
                SELECT coalesce(array_agg(t.run_id::text), '{}') FROM unnest(t_run, t_state) AS t (run_id, state)
                WHERE t.state >= 4 AND (v_all OR t.run_id = ANY (v_held))));
        END IF;
    END IF;

    RETURN QUERY SELECT clock_timestamp(), CASE WHEN v_all THEN '{}' ELSE ARRAY(
        SELECT u.id FROM unnest(p_runs) AS u (id) WHERE u.id <> ALL (v_held)) END;
END
$$;

-- Own up to p_limit runs that are due and whose code the worker has loaded. A run that has
-- mail and no owner is due (see post), so due times are all there is to look at.
CREATE FUNCTION {schema}.claim_runs(p_worker bigint, p_workflows text[], p_versions text[], p_limit integer)
RETURNS TABLE (id uuid, token bigint, workflow text, version text, namespace text, input bytea,
               started_at timestamptz, attempt integer, trace_context text, fresh boolean, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    PERFORM FROM {schema}.workers w WHERE w.id = p_worker AND w.expires_at > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT NULL::uuid, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::bytea,
                            NULL::timestamptz, NULL::integer, NULL::text, NULL::boolean, false;
        RETURN;
    END IF;
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT r.id, r.due_at FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.workflow = c.workflow AND x.due_at <= now()
              AND (x.version IS NULL OR x.version = c.version)
            ORDER BY x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r
    ), chosen AS (
        SELECT DISTINCT d.id FROM (SELECT due.id FROM due ORDER BY due.due_at LIMIT p_limit) d
    )
    UPDATE {schema}.runs AS r
    SET owner = p_worker, token = nextval('{schema}.fencing_token'), state = 1, due_at = NULL,
        attempt = r.attempt + 1, fresh = false, updated_at = clock_timestamp(),
        version = coalesce(r.version, (SELECT c.version FROM unnest(p_workflows, p_versions) AS c (workflow, version)
                                       WHERE c.workflow = r.workflow LIMIT 1))
    FROM chosen
    WHERE r.id = chosen.id
    RETURNING r.id, r.token, r.workflow, r.version, r.namespace, r.input, r.started_at, r.attempt, r.trace_context,
              r.attempt = 1, true;
END
$$;

-- Take a worker's lease away. The delete waits for its commit in flight; afterwards
-- its fence finds no row. Its running runs are due at once, the suspended keep their time.
CREATE FUNCTION {schema}.retire_worker(
    p_worker bigint, p_executing uuid, p_poison_after integer, p_only_expired boolean,
    p_crashed smallint, p_timed_out smallint, p_work_topic text, p_wake_topic text, p_tasks_topic text
) RETURNS TABLE (runs integer, tasks integer)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_node text;
    v_mailed uuid[];
    v_runs integer;
    v_tasks integer;
BEGIN
    DELETE FROM {schema}.workers w WHERE w.id = p_worker AND (NOT p_only_expired OR w.expires_at <= clock_timestamp())
    RETURNING w.node INTO v_node;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 0, 0;
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.node = v_node) THEN
        -- The node is gone: what only it was to do, anyone may.
        UPDATE {schema}.tasks t SET node = NULL WHERE t.node = v_node AND t.owner IS NULL;
        IF FOUND THEN
            PERFORM {schema}.hint(p_tasks_topic, '{}');
        END IF;
    END IF;
    PERFORM FROM (
        SELECT o.id FROM {schema}.runs o WHERE o.owner = p_worker
        UNION SELECT t.run_id FROM {schema}.tasks t WHERE t.owner = p_worker
    ) held JOIN {schema}.runs r ON r.id = held.id
    ORDER BY r.id FOR NO KEY UPDATE OF r;
    UPDATE {schema}.runs r
    SET owner = NULL,
        deaths = r.deaths + CASE WHEN r.id = p_executing THEN 1 ELSE 0 END,
        state = CASE WHEN r.id = p_executing AND r.deaths + 1 >= p_poison_after THEN 3 ELSE r.state END,
        due_at = CASE WHEN r.id = p_executing AND r.deaths + 1 >= p_poison_after THEN NULL
                      WHEN r.state = 1 OR EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id)
                      THEN clock_timestamp() ELSE r.due_at END,
        reason = CASE WHEN r.id = p_executing AND r.deaths + 1 >= p_poison_after
                      THEN 'poison: its process died ' || (r.deaths + 1) || ' times while executing it' ELSE r.reason END,
        updated_at = clock_timestamp()
    WHERE r.owner = p_worker AND r.state <= 2;
    GET DIAGNOSTICS v_runs = ROW_COUNT;
    WITH gone AS (
        DELETE FROM {schema}.tasks t WHERE t.owner = p_worker
        RETURNING t.run_id, t.seq, t.dispatch,
                  t.timeout > 0 AND clock_timestamp() >= t.claimed_at + t.timeout * interval '1 second' AS overdue
    ), mailed AS (
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT g.run_id, CASE WHEN g.overdue THEN p_timed_out ELSE p_crashed END, g.seq::text, g.dispatch::text, ''
        FROM gone g ORDER BY g.run_id, g.seq
        ON CONFLICT DO NOTHING RETURNING inbox.run_id
    )
    SELECT count(*), coalesce(array_agg(m.run_id), '{}') INTO v_tasks, v_mailed FROM mailed m;
    IF v_tasks > 0 THEN
        UPDATE {schema}.runs r SET due_at = clock_timestamp()
        WHERE r.id = ANY (v_mailed) AND r.owner IS NULL AND r.state <= 2;
        PERFORM {schema}.hint(p_wake_topic, '{}');
    END IF;
    -- Also when it left nothing behind: what it handed over in time may be due before others look.
    PERFORM {schema}.hint(p_work_topic, '{}');
    RETURN QUERY SELECT v_runs, v_tasks;
END
$$;

-- Put something into a run's inbox. 1 accepted, 2 duplicate, 3 not found, 4 terminal.
CREATE FUNCTION {schema}.post(
    p_run uuid[], p_kind smallint[], p_name text[], p_key text[], p_payload bytea[], p_signal smallint,
    p_cancel smallint, p_wake_topic text, p_work_topic text, p_done_topic text
) RETURNS smallint[]
LANGUAGE plpgsql
AS $$
DECLARE
    v_answers smallint[] := '{}';
    v_owned text[] := '{}';
    v_free boolean := false;
    v_state smallint;
    v_owner bigint;
BEGIN
    FOR i IN 1 .. cardinality(p_run) LOOP
        -- Waits for the owner's commit in flight, so that nothing is put into a run that ends meanwhile.
        SELECT r.state, r.owner INTO v_state, v_owner FROM {schema}.runs r WHERE r.id = p_run[i] FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            v_answers := v_answers || 3::smallint;
            CONTINUE;
        END IF;
        IF p_kind[i] = p_signal AND p_key[i] IS NOT NULL THEN
            INSERT INTO {schema}.deliveries (run_id, name, delivery_id) VALUES (p_run[i], p_name[i], p_key[i])
            ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                v_answers := v_answers || 2::smallint;
                CONTINUE;
            END IF;
        END IF;
        IF v_state = 3 AND p_kind[i] = p_cancel THEN
            -- Its code cannot run, so there is nothing to cancel in it: it ends here.
            UPDATE {schema}.runs r SET state = 6, due_at = NULL, reason = NULL, updated_at = clock_timestamp(),
                completed_at = clock_timestamp() WHERE r.id = p_run[i];
            PERFORM {schema}.hint(p_done_topic, ARRAY[p_run[i]::text]);
            v_answers := v_answers || 1::smallint;
            CONTINUE;
        END IF;
        IF v_state >= 4 THEN
            DELETE FROM {schema}.deliveries d
            WHERE d.run_id = p_run[i] AND d.name = p_name[i] AND d.delivery_id = p_key[i];
            v_answers := v_answers || 4::smallint;
            CONTINUE;
        END IF;
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        VALUES (p_run[i], p_kind[i], p_name[i], p_key[i], p_payload[i])
        ON CONFLICT (run_id, kind, name, key) WHERE key IS NOT NULL DO NOTHING;
        IF NOT FOUND THEN
            v_answers := v_answers || 2::smallint;
            CONTINUE;
        END IF;
        v_answers := v_answers || 1::smallint;
        IF v_owner IS NULL THEN
            UPDATE {schema}.runs r SET due_at = clock_timestamp()
            WHERE r.id = p_run[i] AND r.state <= 2 AND (r.due_at IS NULL OR r.due_at > clock_timestamp());
            v_free := true;
        ELSE
            v_owned := v_owned || p_run[i]::text;
        END IF;
    END LOOP;
    IF cardinality(v_owned) > 0 THEN
        PERFORM {schema}.hint(p_wake_topic, v_owned);
    END IF;
    IF v_free THEN
        PERFORM {schema}.hint(p_work_topic, '{}');
    END IF;
    RETURN v_answers;
END
$$;

-- Take due tasks, within what this node may run of each queue at once.
CREATE FUNCTION {schema}.claim_tasks(
    p_worker bigint, p_activities text[], p_isolated boolean,
    p_queues text[], p_limits integer[], p_unlisted integer, p_limit integer
) RETURNS TABLE (run_id uuid, seq integer, dispatch integer, attempt integer, queue text, activity text,
                 arguments bytea, timeout double precision, key text, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_node text;
BEGIN
    SELECT w.node INTO v_node FROM {schema}.workers w
    WHERE w.id = p_worker AND w.expires_at > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT NULL::uuid, NULL::integer, NULL::integer, NULL::integer, NULL::text, NULL::text,
                            NULL::bytea, NULL::double precision, NULL::text, false;
        RETURN;
    END IF;
    -- The processes of a node share its limits, so they count one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('{schema}.tasks.' || v_node, 0));
    RETURN QUERY
    WITH RECURSIVE queues (name) AS (
        (SELECT t.queue FROM {schema}.tasks t WHERE t.owner IS NULL AND t.isolated = p_isolated
         ORDER BY t.queue LIMIT 1)
        UNION ALL
        SELECT (SELECT t.queue FROM {schema}.tasks t
                WHERE t.owner IS NULL AND t.isolated = p_isolated AND t.queue > q.name ORDER BY t.queue LIMIT 1)
        FROM queues q WHERE q.name IS NOT NULL
    ), busy AS MATERIALIZED (
        SELECT t.queue AS name, count(*)::integer AS running FROM {schema}.workers w
        JOIN {schema}.tasks t ON t.owner = w.id WHERE w.node = v_node GROUP BY t.queue
    ), room AS MATERIALIZED (
        SELECT q.name,
               coalesce((SELECT l.most FROM unnest(p_queues, p_limits) AS l (name, most) WHERE l.name = q.name),
                        p_unlisted) - coalesce((SELECT b.running FROM busy b WHERE b.name = q.name), 0) AS free
        FROM queues q WHERE q.name IS NOT NULL
    ), candidates AS MATERIALIZED (
        SELECT c.run_id, c.seq, c.priority, c.due_at FROM room
        CROSS JOIN LATERAL (
            SELECT t.run_id, t.seq, t.priority, t.due_at FROM {schema}.tasks t
            WHERE t.owner IS NULL AND t.isolated = p_isolated AND t.queue = room.name AND t.due_at <= now()
              AND t.activity = ANY (p_activities) AND (t.node IS NULL OR t.node = v_node)
            ORDER BY t.priority DESC, t.due_at LIMIT greatest(0, least(room.free, p_limit))
            FOR UPDATE SKIP LOCKED
        ) c
        WHERE room.free > 0
    ), chosen AS (
        SELECT c.run_id, c.seq FROM candidates c ORDER BY c.priority DESC, c.due_at LIMIT p_limit
    )
    UPDATE {schema}.tasks AS t SET owner = p_worker, claimed_at = clock_timestamp()
    FROM chosen c WHERE t.run_id = c.run_id AND t.seq = c.seq
    RETURNING t.run_id, t.seq, t.dispatch, t.attempt, t.queue, t.activity, t.arguments, t.timeout, t.key, true;
END
$$;

-- Turn answers of tasks into mail for their runs. A failure counts only while the task
-- is still the worker's; a result is never thrown away, whoever owns task or run by now.
CREATE FUNCTION {schema}.answer_tasks(
    p_worker bigint, p_run uuid[], p_seq integer[], p_dispatch integer[], p_kind smallint[], p_payload bytea[],
    p_completed smallint, p_wake_topic text, p_work_topic text
) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    v_runs text[];
BEGIN
    -- Waits for commits in flight: a run that is being released must not miss its mail.
    PERFORM FROM {schema}.runs r WHERE r.id = ANY (p_run) ORDER BY r.id FOR NO KEY UPDATE;
    WITH answer AS MATERIALIZED (
        SELECT * FROM unnest(p_run, p_seq, p_dispatch, p_kind, p_payload)
            AS a (run_id, seq, dispatch, kind, payload)
    ), mine AS (
        DELETE FROM {schema}.tasks t USING answer a
        WHERE t.run_id = a.run_id AND t.seq = a.seq AND t.dispatch = a.dispatch AND t.owner = p_worker
        RETURNING t.run_id, t.seq, t.dispatch
    ), mailed AS (
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT a.run_id, a.kind, a.seq::text, a.dispatch::text, a.payload FROM answer a
        JOIN {schema}.runs r ON r.id = a.run_id AND r.state <= 3
        WHERE a.kind = p_completed
           OR EXISTS (SELECT FROM mine m WHERE m.run_id = a.run_id AND m.seq = a.seq AND m.dispatch = a.dispatch)
        ON CONFLICT DO NOTHING
        RETURNING inbox.run_id
    )
    SELECT array_agg(m.run_id::text) INTO v_runs FROM mailed m;
    IF v_runs IS NOT NULL THEN
        PERFORM {schema}.hint(p_wake_topic, v_runs);
        UPDATE {schema}.runs r SET due_at = clock_timestamp()
        WHERE r.id = ANY (v_runs::uuid[]) AND r.owner IS NULL AND r.state <= 2;
        IF FOUND THEN
            PERFORM {schema}.hint(p_work_topic, '{}');
        END IF;
    END IF;
    RETURN coalesce(cardinality(v_runs), 0);
END
$$;
