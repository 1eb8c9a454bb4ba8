-- Runs that belong together: children, chains of runs that continued as new, versions of code, state cells.

ALTER TABLE {schema}.runs
    -- The parent, and the parent's command that waits for the end; no command waits once the parent continued as new.
    ADD COLUMN parent_id uuid,
    ADD COLUMN parent_seq integer,
    -- What the parent's end does: 1 cancels when the parent was cancelled, 2 cancels in any case, 3 nothing.
    ADD COLUMN close_policy smallint,
    ADD COLUMN depth integer NOT NULL DEFAULT 0,
    ADD COLUMN has_children boolean NOT NULL DEFAULT false,
    -- The first run of its chain; NULL for that one itself.
    ADD COLUMN root uuid,
    ADD COLUMN continued_from uuid,
    ADD COLUMN continued_to uuid,
    -- The versions that its history was refused by, latest last; see table refusals.
    ADD COLUMN refused text[],
    ADD COLUMN retain_until timestamptz;

CREATE INDEX runs_parent ON {schema}.runs (parent_id) WHERE parent_id IS NOT NULL;
-- The tip of a chain is the one that continued nowhere.
CREATE INDEX runs_chain ON {schema}.runs (root, continued_to) WHERE root IS NOT NULL;
CREATE INDEX runs_retained ON {schema}.runs (retain_until) WHERE retain_until IS NOT NULL;

-- Each claim names versions. Runs that were refused by some code stand apart, in groups of the same refusals:
-- whoever may not take them passes over a group in one step, however many runs are in it.
DROP INDEX {schema}.runs_due;
CREATE INDEX runs_due ON {schema}.runs (workflow, version, due_at)
    WHERE owner IS NULL AND state <= 2 AND refused IS NULL;
CREATE INDEX runs_refused ON {schema}.runs (workflow, version, refused, due_at)
    WHERE owner IS NULL AND state <= 2 AND refused IS NOT NULL;

CREATE TABLE {schema}.versions (
    workflow text NOT NULL,
    version text NOT NULL,
    label text NOT NULL,
    module text NOT NULL,
    signals jsonb,
    source bytea,
    registered_at timestamptz NOT NULL,
    PRIMARY KEY (workflow, version)
);

CREATE TABLE {schema}.refusals (
    run_id uuid NOT NULL,
    version text NOT NULL,
    reason text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, version)
);

-- The latest values that the runs of a chain have published.
CREATE TABLE {schema}.cells (
    root uuid NOT NULL,
    name text NOT NULL,
    value bytea NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (root, name)
) WITH (fillfactor = 50);

-- What a batch carries beside the plain writes; NULL when it carries nothing of it. `depths` belong to the runs
-- of the batch, where a token of -1 means: lock it in its place, nothing is written to it.
CREATE TYPE {schema}.composition AS (
    depths integer[],
    n_run uuid[], n_seq integer[], n_id uuid[], n_workflow text[], n_input bytea[], n_policy smallint[],
    c_run uuid[], c_child uuid[],
    s_run uuid[], s_id uuid[], s_workflow text[], s_input bytea[],
    m_run uuid[], m_name text[], m_payload bytea[],
    l_run uuid[], l_name text[], l_value bytea[], cells_topic text,
    v_run uuid[], v_version text[],
    f_run uuid[], f_version text[], f_reason text[],
    r_run uuid[], r_seconds double precision[]
);

-- The run that a chain has come to. Whoever needs it to stay so locks it and looks again.
CREATE FUNCTION {schema}.tip(p_run uuid) RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_root uuid;
    v_next uuid;
BEGIN
    SELECT coalesce(r.root, r.id), r.continued_to INTO v_root, v_next FROM {schema}.runs r WHERE r.id = p_run;
    RETURN CASE WHEN v_root IS NULL THEN NULL WHEN v_next IS NULL THEN p_run ELSE (
        SELECT t.id FROM {schema}.runs t WHERE t.root = v_root AND t.continued_to IS NULL) END;
END
$$;

-- Runs that got mail, and are locked: due when free, told of when owned.
CREATE FUNCTION {schema}.rouse(p_runs uuid[], p_work_topic text, p_wake_topic text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_owned text[];
BEGIN
    UPDATE {schema}.runs r SET due_at = clock_timestamp()
    WHERE r.id = ANY (p_runs) AND r.owner IS NULL AND r.state <= 2
      AND (r.due_at IS NULL OR r.due_at > clock_timestamp());
    IF FOUND THEN
        PERFORM {schema}.hint(p_work_topic, '{}');
    END IF;
    SELECT array_agg(r.id::text) INTO v_owned FROM {schema}.runs r WHERE r.id = ANY (p_runs) AND r.owner IS NOT NULL;
    IF v_owned IS NOT NULL THEN
        PERFORM {schema}.hint(p_wake_topic, v_owned);
    END IF;
END
$$;

-- Put a cancel request into the inboxes of runs that are locked. A blocked one ends at once, for its code cannot
-- run; those are returned, and whoever asks concludes them.
CREATE FUNCTION {schema}.ask_to_stop(
    p_runs uuid[], p_name text, p_done_topic text, p_work_topic text, p_wake_topic text
) RETURNS uuid[]
LANGUAGE plpgsql AS $$
DECLARE
    v_ended uuid[];
    v_mailed uuid[];
BEGIN
    WITH ended AS (
        UPDATE {schema}.runs r
        SET state = 6, due_at = NULL, reason = CASE WHEN p_name = 'parent' THEN 'parent_cancelled' END,
            updated_at = clock_timestamp(), completed_at = clock_timestamp()
        WHERE r.id = ANY (p_runs) AND r.state = 3 RETURNING r.id
    )
    SELECT coalesce(array_agg(e.id), '{}') INTO v_ended FROM ended e;
    IF cardinality(v_ended) > 0 THEN
        DELETE FROM {schema}.tasks t WHERE t.run_id = ANY (v_ended);
        PERFORM {schema}.hint(p_done_topic, v_ended::text[]);
    END IF;
    WITH mailed AS (
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT r.id, 6, p_name, 'cancel', '' FROM {schema}.runs r
        WHERE r.id = ANY (p_runs) AND r.state <= 2 ORDER BY r.id
        ON CONFLICT DO NOTHING RETURNING run_id
    )
    SELECT array_agg(m.run_id) INTO v_mailed FROM mailed m;
    IF v_mailed IS NOT NULL THEN
        PERFORM {schema}.rouse(v_mailed, p_work_topic, p_wake_topic);
    END IF;
    RETURN v_ended;
END
$$;

-- Lock the live children that go with runs that have ended: all but the abandoned by force, else as their close
-- policies say. The children of one that continued as new are its successor's.
CREATE FUNCTION {schema}.lock_children(p_ended uuid[], p_force boolean) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_locked uuid[] := '{}';
    v_more uuid[];
BEGIN
    LOOP
        -- Again until there are no more: one may continue as new while we wait for its lock.
        v_more := ARRAY(
            SELECT c.id FROM unnest(p_ended) AS e (id)
            JOIN {schema}.runs p ON p.id = e.id AND p.has_children AND p.continued_to IS NULL
            JOIN {schema}.runs c ON c.parent_id = p.id AND c.state <= 3 AND CASE
                WHEN p_force THEN c.close_policy < 3
                ELSE c.close_policy = 2 OR (c.close_policy = 1 AND p.state = 6) END
            EXCEPT SELECT l.id FROM unnest(v_locked) AS l (id));
        EXIT WHEN cardinality(v_more) = 0;
        PERFORM FROM {schema}.runs c WHERE c.id = ANY (v_more) ORDER BY c.depth, c.id FOR NO KEY UPDATE;
        v_locked := v_locked || v_more;
    END LOOP;
    RETURN v_locked;
END
$$;

-- What follows from the end of runs, once their rows say it: their parents hear of it, and their children are asked
-- to stop as their close policies say.
CREATE FUNCTION {schema}.conclude(p_ended uuid[], p_done_topic text, p_work_topic text, p_wake_topic text)
RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_ended uuid[] := p_ended;
    v_mailed uuid[];
BEGIN
    WHILE cardinality(v_ended) > 0 LOOP
        WITH mailed AS (
            -- 7 completed, 8 failed, 9 cancelled; a body that is missing reads as ().
            INSERT INTO {schema}.inbox (run_id, kind, name, payload)
            SELECT r.parent_id, r.state + 3, r.parent_seq::text,
                   coalesce(CASE r.state WHEN 4 THEN r.result WHEN 5 THEN r.error END, '')
            FROM unnest(v_ended) AS e (id)
            JOIN {schema}.runs r ON r.id = e.id AND r.parent_seq IS NOT NULL AND r.continued_to IS NULL
            JOIN {schema}.runs p ON p.id = r.parent_id AND p.state <= 3
            RETURNING run_id
        )
        SELECT array_agg(DISTINCT m.run_id) INTO v_mailed FROM mailed m;
        IF v_mailed IS NOT NULL THEN
            PERFORM {schema}.rouse(v_mailed, p_work_topic, p_wake_topic);
        END IF;

        v_ended := {schema}.ask_to_stop(
            {schema}.lock_children(v_ended, false), 'parent', p_done_topic, p_work_topic, p_wake_topic);
    END LOOP;
END
$$;

-- Lock the runs of a batch and those that its ends, continuations and cancel requests reach, parents first:
-- generation by generation, by id within one. A generation can only get new members under the lock of the one
-- before it. Returns the runs whose token still holds.
CREATE FUNCTION {schema}.lock_generations(
    p_worker bigint, p_runs uuid[], p_tokens bigint[], t_run uuid[], t_state smallint[],
    p_more {schema}.composition
) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_held uuid[] := '{}';
    v_mine uuid[];
    v_blocked uuid[];
    v_reached uuid[] := '{}';
    v_depth integer := (SELECT min(d) FROM unnest(p_more.depths) AS d);
BEGIN
    WHILE v_depth IS NOT NULL LOOP
        SELECT coalesce(array_agg(h.id) FILTER (WHERE h.mine), '{}'),
               coalesce(array_agg(h.id) FILTER (WHERE h.reached AND h.state = 3), '{}')
        INTO v_mine, v_blocked FROM (
            SELECT r.id, u.reached, r.state, r.token = u.token AND r.owner IS NOT DISTINCT FROM p_worker AS mine
            FROM (
                SELECT g.id, max(g.token) AS token, bool_or(g.reached) AS reached FROM (
                    SELECT b.id, b.token, false AS reached
                    FROM unnest(p_runs, p_tokens, p_more.depths) AS b (id, token, depth) WHERE b.depth = v_depth
                    UNION ALL
                    SELECT c.id, -1, true FROM unnest(v_reached) AS c (id)
                ) g GROUP BY g.id ORDER BY g.id
            ) u
            CROSS JOIN LATERAL (
                SELECT x.id, x.state, x.token, x.owner FROM {schema}.runs x WHERE x.id = u.id
                FOR NO KEY UPDATE
            ) r
        ) h;
        v_held := v_held || v_mine;
        SELECT coalesce(array_agg(DISTINCT n.id), '{}') INTO v_reached FROM (
            SELECT c.id FROM unnest(t_run, t_state) AS t (id, state)
            JOIN {schema}.runs c ON c.parent_id = t.id AND c.state <= 3
            WHERE t.state >= 4 AND t.id = ANY (v_mine)
              AND (c.close_policy = 2 OR (c.close_policy = 1 AND t.state = 6) OR t.id = ANY (p_more.s_run))
            UNION ALL
            SELECT {schema}.tip(a.child) FROM unnest(p_more.c_run, p_more.c_child) AS a (run, child)
            WHERE a.run = ANY (v_mine)
            UNION ALL
            SELECT c.id FROM unnest(v_blocked) AS b (id)
            JOIN {schema}.runs c ON c.parent_id = b.id AND c.state <= 3 AND c.close_policy < 3
        ) n WHERE n.id IS NOT NULL;
        v_depth := CASE WHEN cardinality(v_reached) > 0 THEN v_depth + 1
                        ELSE (SELECT min(d) FROM unnest(p_more.depths) AS d WHERE d > v_depth) END;
    END LOOP;
    RETURN v_held;
END
$$;

-- The part of a batch that is about other runs than the writers', about versions and cells. All locks are held.
CREATE FUNCTION {schema}.compose(
    p_more {schema}.composition, p_held uuid[], p_done_topic text, p_work_topic text, p_wake_topic text
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF cardinality(p_more.n_run) > 0 THEN
        INSERT INTO {schema}.runs (id, workflow, namespace, input, attributes, trace_context,
                                   parent_id, parent_seq, close_policy, depth, due_at)
        SELECT n.id, n.workflow, p.namespace, n.input, p.attributes, p.trace_context,
               p.id, n.seq, n.policy, p.depth + 1, clock_timestamp()
        FROM unnest(p_more.n_run, p_more.n_seq, p_more.n_id, p_more.n_workflow, p_more.n_input, p_more.n_policy)
            AS n (run, seq, id, workflow, input, policy)
        JOIN {schema}.runs p ON p.id = n.run WHERE n.run = ANY (p_held)
        ON CONFLICT (id) DO NOTHING;
        UPDATE {schema}.runs p SET has_children = true
        WHERE p.id = ANY (p_more.n_run) AND p.id = ANY (p_held) AND NOT p.has_children;
        PERFORM {schema}.hint(p_work_topic, '{}');
    END IF;

    IF cardinality(p_more.s_run) > 0 THEN
        INSERT INTO {schema}.runs (id, workflow, namespace, input, attributes, trace_context, parent_id, parent_seq,
                                   close_policy, depth, has_children, root, continued_from, due_at)
        SELECT s.id, s.workflow, r.namespace, s.input, r.attributes, r.trace_context, r.parent_id, r.parent_seq,
               r.close_policy, r.depth, r.has_children, coalesce(r.root, r.id), r.id, clock_timestamp()
        FROM unnest(p_more.s_run, p_more.s_id, p_more.s_workflow, p_more.s_input) AS s (run, id, workflow, input)
        JOIN {schema}.runs r ON r.id = s.run WHERE s.run = ANY (p_held);
        UPDATE {schema}.runs r SET continued_to = s.id FROM unnest(p_more.s_run, p_more.s_id) AS s (run, id)
        WHERE r.id = s.run AND s.run = ANY (p_held);
        -- Signals that were journaled and not asked for; behind them, in the order of their ids, what is unread:
        -- signals and cancel requests, for answers are for commands that the successor never gave.
        INSERT INTO {schema}.inbox (run_id, kind, name, payload)
        SELECT m.run, 1, m.name, m.payload
        FROM unnest(p_more.m_run, p_more.m_name, p_more.m_payload) WITH ORDINALITY AS m (run, name, payload, place)
        JOIN unnest(p_more.s_run, p_more.s_id) AS s (run, id) ON s.id = m.run
        WHERE s.run = ANY (p_held) ORDER BY m.place;
        WITH unread AS (
            DELETE FROM {schema}.inbox i USING unnest(p_more.s_run, p_more.s_id) AS s (run, id)
            WHERE i.run_id = s.run AND i.kind IN (1, 6) AND s.run = ANY (p_held)
            RETURNING i.id, s.id AS heir, i.kind, i.name, i.key, i.payload
        )
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT u.heir, u.kind, u.name, u.key, u.payload FROM unread u ORDER BY u.id;
        LOOP
            -- Again until there are no more: one may have continued as new while we waited for its lock.
            UPDATE {schema}.runs c SET parent_id = s.id, parent_seq = NULL
            FROM unnest(p_more.s_run, p_more.s_id) AS s (run, id)
            WHERE c.parent_id = s.run AND c.state <= 3 AND s.run = ANY (p_held);
            EXIT WHEN NOT EXISTS (SELECT FROM unnest(p_more.s_run) AS s (run)
                                  JOIN {schema}.runs c ON c.parent_id = s.run AND c.state <= 3
                                  WHERE s.run = ANY (p_held));
        END LOOP;
        PERFORM {schema}.hint(p_work_topic, '{}');
    END IF;

    IF cardinality(p_more.v_run) > 0 THEN
        UPDATE {schema}.runs r SET version = v.version FROM unnest(p_more.v_run, p_more.v_version) AS v (run, version)
        WHERE r.id = v.run AND v.run = ANY (p_held);
    END IF;

    IF cardinality(p_more.f_run) > 0 THEN
        INSERT INTO {schema}.refusals (run_id, version, reason)
        SELECT f.* FROM unnest(p_more.f_run, p_more.f_version, p_more.f_reason) AS f (run, version, reason)
        WHERE f.run = ANY (p_held)
        ON CONFLICT (run_id, version) DO UPDATE SET reason = excluded.reason, refused_at = excluded.refused_at;
        -- The last sixteen, for an index takes no longer keys; an older one is at worst refused once more.
        UPDATE {schema}.runs r SET refused = (SELECT (k.kept)[greatest(1, cardinality(k.kept) - 15):] FROM (
            SELECT array_append(array_remove(coalesce(r.refused, '{}'), f.version), f.version) AS kept) k)
        FROM unnest(p_more.f_run, p_more.f_version) AS f (run, version)
        WHERE r.id = f.run AND f.run = ANY (p_held);
    END IF;

    IF cardinality(p_more.l_run) > 0 THEN
        INSERT INTO {schema}.cells (root, name, value)
        SELECT coalesce(r.root, r.id), l.name, l.value
        FROM unnest(p_more.l_run, p_more.l_name, p_more.l_value) AS l (run, name, value)
        JOIN {schema}.runs r ON r.id = l.run WHERE l.run = ANY (p_held)
        ON CONFLICT (root, name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at;
        PERFORM {schema}.hint(p_more.cells_topic, ARRAY(
            SELECT DISTINCT coalesce(r.root, r.id)::text FROM {schema}.runs r
            WHERE r.id = ANY (p_more.l_run) AND r.id = ANY (p_held)));
    END IF;

    IF cardinality(p_more.r_run) > 0 THEN
        UPDATE {schema}.runs r SET retain_until = r.completed_at + k.seconds * interval '1 second'
        FROM unnest(p_more.r_run, p_more.r_seconds) AS k (run, seconds)
        WHERE r.id = k.run AND k.run = ANY (p_held);
    END IF;

    IF cardinality(p_more.c_run) > 0 THEN
        PERFORM {schema}.conclude({schema}.ask_to_stop(ARRAY(
            SELECT {schema}.tip(a.child) FROM unnest(p_more.c_run, p_more.c_child) AS a (run, child)
            WHERE a.run = ANY (p_held)), 'parent', p_done_topic, p_work_topic, p_wake_topic),
            p_done_topic, p_work_topic, p_wake_topic);
    END IF;
END
$$;

-- The one write path of run owners. The worker's row is locked by its update, so that
-- whoever takes the lease away waits for us, or we find no row after it; then every run
-- is locked, parents first and by id, and its token compared. Indexes are forced: a plan made
-- while the tables were small would scan them for ever. A batch without `p_more` has runs of one
-- depth only, whose ends their parents need not be locked for.
DROP FUNCTION {schema}.commit_batch;
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
    p_done_topic text, p_tasks_topic text, p_work_topic text, p_wake_topic text, p_more {schema}.composition
) RETURNS TABLE (at timestamptz, rejected uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_held uuid[];
    v_all boolean;
    v_family boolean;
    -- A row "is not null" only when all of its fields are.
    v_composed boolean := NOT (p_more IS NULL);
BEGIN
    UPDATE {schema}.workers SET batch = p_batch
    WHERE id = p_worker AND batch < p_batch AND expires_at > clock_timestamp();
    IF NOT FOUND THEN
        -- A batch whose answer was lost is asked for again; it was applied, so only its outcome is told.
        RETURN QUERY
        SELECT clock_timestamp(), ARRAY(
            SELECT u.id FROM unnest(p_runs, p_tokens) AS u (id, token)
            WHERE u.token <> -1
              AND NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = u.id AND r.token = u.token))
        FROM {schema}.workers w WHERE w.id = p_worker AND w.batch = p_batch;
        RETURN;
    END IF;

    IF v_composed THEN
        v_held := {schema}.lock_generations(p_worker, p_runs, p_tokens, t_run, t_state, p_more);
        v_family := true;
        v_all := NOT EXISTS (SELECT FROM unnest(p_runs, p_tokens) AS u (id, token)
                             WHERE u.token <> -1 AND u.id <> ALL (v_held));
    ELSE
        SELECT coalesce(array_agg(h.id), '{}'), bool_or(h.family) INTO v_held, v_family FROM (
            SELECT r.id, r.family
            FROM unnest(p_runs, p_tokens) AS u (id, token)
            CROSS JOIN LATERAL (
                SELECT x.id, x.has_children OR x.parent_seq IS NOT NULL AS family FROM {schema}.runs x
                -- Not "=", which would let the plan look through all that the worker owns for each run.
                WHERE x.id = u.id AND x.token = u.token AND x.owner IS NOT DISTINCT FROM p_worker
                FOR NO KEY UPDATE
            ) r
        ) h;
        v_all := cardinality(v_held) = cardinality(p_runs);
    END IF;

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
    END IF;

    IF v_composed THEN
        PERFORM {schema}.compose(p_more, v_held, p_done_topic, p_work_topic, p_wake_topic);
    END IF;

    IF EXISTS (SELECT FROM unnest(t_state) AS s (state) WHERE s.state >= 4) THEN
        DELETE FROM {schema}.tasks k USING unnest(t_run, t_state) AS t (run_id, state)
        WHERE k.run_id = t.run_id AND t.state >= 4 AND (v_all OR k.run_id = ANY (v_held));
        PERFORM {schema}.hint(p_done_topic, (
            SELECT coalesce(array_agg(t.run_id::text), '{}') FROM unnest(t_run, t_state) AS t (run_id, state)
            WHERE t.state >= 4 AND (v_all OR t.run_id = ANY (v_held))));
        IF v_family THEN
            PERFORM {schema}.conclude(ARRAY(
                SELECT t.run_id FROM unnest(t_run, t_state) AS t (run_id, state)
                WHERE t.state >= 4 AND t.run_id = ANY (v_held)), p_done_topic, p_work_topic, p_wake_topic);
        END IF;
    END IF;

    RETURN QUERY SELECT clock_timestamp(), CASE WHEN v_all THEN '{}' ELSE ARRAY(
        SELECT u.id FROM unnest(p_runs, p_tokens) AS u (id, token)
        WHERE u.token <> -1 AND u.id <> ALL (v_held)) END;
END
$$;

-- The groups of runs that code may try although it is of another version: by workflow and version, and by what they
-- were refused by. Each group is found in one step through an index.
CREATE FUNCTION {schema}.foreign_groups(p_workflows text[], p_versions text[], p_others boolean[])
RETURNS TABLE (workflow text, version text, refused text[])
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF true <> ALL (p_others) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH RECURSIVE taker AS MATERIALIZED (
        SELECT c.workflow, array_agg(c.version) AS loaded, array_agg(c.version) FILTER (WHERE c.others) AS trying
        FROM unnest(p_workflows, p_versions, p_others) AS c (workflow, version, others)
        GROUP BY c.workflow HAVING bool_or(c.others)
    ), untried (workflow, version) AS (
        SELECT t.workflow, (
            SELECT x.version FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = t.workflow
              AND x.version IS NOT NULL ORDER BY x.version LIMIT 1)
        FROM taker t
        UNION ALL
        SELECT u.workflow, (
            SELECT x.version FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = u.workflow
              AND x.version > u.version ORDER BY x.version LIMIT 1)
        FROM untried u WHERE u.version IS NOT NULL
    ), tried (workflow, version, refused) AS (
        SELECT t.workflow, n.version, n.refused FROM taker t
        CROSS JOIN LATERAL (
            SELECT x.version, x.refused FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NOT NULL AND x.workflow = t.workflow
            ORDER BY x.version, x.refused LIMIT 1
        ) n
        UNION ALL
        SELECT d.workflow, n.version, n.refused FROM tried d
        CROSS JOIN LATERAL (
            SELECT x.version, x.refused FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NOT NULL AND x.workflow = d.workflow
              AND (x.version, x.refused) > (d.version, d.refused)
            ORDER BY x.version, x.refused LIMIT 1
        ) n
    )
    SELECT u.workflow, u.version, NULL::text[] FROM untried u JOIN taker t ON t.workflow = u.workflow
    WHERE u.version <> ALL (t.loaded)
    UNION ALL
    SELECT d.workflow, d.version, d.refused FROM tried d JOIN taker t ON t.workflow = d.workflow
    WHERE d.version <> ALL (t.loaded) AND NOT t.trying <@ d.refused;
END
$$;

-- Own up to p_limit runs that are due and whose code the worker has loaded, then, if there is room, runs of other
-- versions that have waited for p_grace and that its code has not refused. A run that has mail and no owner is due
-- (see post), so due times are all there is to look at. "version" comes first in the orders because
-- "is null" does not tell the planner that the index gives them.
DROP FUNCTION {schema}.claim_runs;
CREATE FUNCTION {schema}.claim_runs(
    p_worker bigint, p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[],
    p_limit integer, p_grace double precision
) RETURNS TABLE (id uuid, token bigint, workflow text, version text, namespace text, input bytea,
                 started_at timestamptz, attempt integer, trace_context text, fresh boolean, parent uuid,
                 depth integer, root uuid, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_chosen uuid[];
    v_foreign uuid[];
BEGIN
    PERFORM FROM {schema}.workers w WHERE w.id = p_worker AND w.expires_at > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT NULL::uuid, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::bytea,
                            NULL::timestamptz, NULL::integer, NULL::text, NULL::boolean, NULL::uuid, NULL::integer,
                            NULL::uuid, false;
        RETURN;
    END IF;
    WITH unversioned AS MATERIALIZED (
        SELECT r.id, r.due_at FROM unnest(p_workflows, p_current) AS c (workflow, is_current)
        CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = c.workflow
              AND x.version IS NULL AND x.due_at <= now()
            ORDER BY x.version, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r WHERE c.is_current
    ), known AS MATERIALIZED (
        SELECT r.id, r.due_at FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = c.workflow
              AND x.version = c.version AND x.due_at <= now()
            ORDER BY x.version, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r
    ), refused AS MATERIALIZED (
        -- By other code than theirs. In no order: there are several groups.
        SELECT r.id, r.due_at FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NOT NULL AND x.workflow = c.workflow
              AND x.version = c.version AND x.due_at <= now()
            LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r
    ), due AS (
        SELECT * FROM unversioned UNION SELECT * FROM known UNION SELECT * FROM refused
    )
    SELECT coalesce(array_agg(d.id), '{}') INTO v_chosen
    FROM (SELECT due.id FROM due ORDER BY due.due_at LIMIT p_limit) d;

    IF cardinality(v_chosen) < p_limit AND true = ANY (p_others) THEN
        WITH groups AS MATERIALIZED (
            SELECT g.workflow, g.version, g.refused FROM {schema}.foreign_groups(p_workflows, p_versions, p_others) g
        ), untried AS MATERIALIZED (
            SELECT r.id, r.due_at FROM groups g
            CROSS JOIN LATERAL (
                SELECT x.id, x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = g.workflow
                  AND x.version = g.version AND x.due_at <= now() - p_grace * interval '1 second'
                ORDER BY x.version, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
            ) r WHERE g.refused IS NULL
        ), tried AS MATERIALIZED (
            SELECT r.id, r.due_at FROM groups g
            CROSS JOIN LATERAL (
                SELECT x.id, x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state <= 2 AND x.refused = g.refused AND x.workflow = g.workflow
                  AND x.version = g.version AND x.due_at <= now() - p_grace * interval '1 second'
                ORDER BY x.version, x.refused, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
            ) r WHERE g.refused IS NOT NULL
        ), due AS (
            SELECT * FROM untried UNION ALL SELECT * FROM tried
        )
        SELECT coalesce(array_agg(d.id), '{}') INTO v_foreign
        FROM (SELECT due.id FROM due ORDER BY due.due_at LIMIT p_limit - cardinality(v_chosen)) d;
        v_chosen := v_chosen || v_foreign;
    END IF;

    RETURN QUERY
    UPDATE {schema}.runs AS r
    SET owner = p_worker, token = nextval('{schema}.fencing_token'), state = 1, due_at = NULL,
        attempt = r.attempt + 1, fresh = false, updated_at = clock_timestamp(),
        version = coalesce(r.version, (SELECT c.version FROM unnest(p_workflows, p_versions, p_current)
                                           AS c (workflow, version, is_current)
                                       WHERE c.workflow = r.workflow AND c.is_current LIMIT 1))
    FROM unnest(v_chosen) AS chosen (id)
    WHERE r.id = chosen.id
    RETURNING r.id, r.token, r.workflow, r.version, r.namespace, r.input, r.started_at, r.attempt, r.trace_context,
              r.attempt = 1 AND NOT EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id),
              r.parent_id, r.depth, coalesce(r.root, r.id), true;
END
$$;

-- When the next run that nobody owns and the code may claim is due; in step with claim_runs.
CREATE FUNCTION {schema}.next_due(
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[], p_grace double precision
) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN least((
        SELECT min(r.due_at) FROM unnest(p_workflows, p_current) AS c (workflow, is_current)
        CROSS JOIN LATERAL (
            SELECT x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = c.workflow
              AND x.version IS NULL AND x.due_at IS NOT NULL
            ORDER BY x.version, x.due_at LIMIT 1
        ) r WHERE c.is_current
    ), (
        SELECT min(r.due_at) FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = c.workflow
              AND x.version = c.version AND x.due_at IS NOT NULL
            ORDER BY x.version, x.due_at LIMIT 1
        ) r
    ), (
        SELECT min(r.due_at) FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT min(x.due_at) AS due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NOT NULL AND x.workflow = c.workflow
              AND x.version = c.version
        ) r
    ), (
        SELECT min(r.due_at) + p_grace * interval '1 second'
        FROM {schema}.foreign_groups(p_workflows, p_versions, p_others) g
        CROSS JOIN LATERAL (
            (SELECT x.due_at FROM {schema}.runs x
             WHERE g.refused IS NULL AND x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL
               AND x.workflow = g.workflow AND x.version = g.version AND x.due_at IS NOT NULL
             ORDER BY x.version, x.due_at LIMIT 1)
            UNION ALL
            (SELECT x.due_at FROM {schema}.runs x
             WHERE x.owner IS NULL AND x.state <= 2 AND x.refused = g.refused
               AND x.workflow = g.workflow AND x.version = g.version AND x.due_at IS NOT NULL
             ORDER BY x.version, x.refused, x.due_at LIMIT 1)
        ) r
    ));
END
$$;

-- Take a worker's lease away. The delete waits for its commit in flight; afterwards
-- its fence finds no row. Its running runs are due at once, the suspended keep their time.
CREATE OR REPLACE FUNCTION {schema}.retire_worker(
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
    PERFORM FROM (
        SELECT o.id FROM {schema}.runs o WHERE o.owner = p_worker
        UNION SELECT t.run_id FROM {schema}.tasks t WHERE t.owner = p_worker
    ) held JOIN {schema}.runs r ON r.id = held.id
    ORDER BY r.depth, r.id FOR NO KEY UPDATE OF r;
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
    IF NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.node = v_node) THEN
        -- The node is gone: what only it was to do, anyone may.
        UPDATE {schema}.tasks t SET node = NULL WHERE t.node = v_node AND t.owner IS NULL;
        IF FOUND THEN
            PERFORM {schema}.hint(p_tasks_topic, '{}');
        END IF;
    END IF;
    -- Also when it left nothing behind: what it handed over in time may be due before others look.
    PERFORM {schema}.hint(p_work_topic, '{}');
    RETURN QUERY SELECT v_runs, v_tasks;
END
$$;

-- Put something into a run's inbox. 1 accepted, 2 duplicate, 3 not found, 4 terminal. Signals and cancel requests are
-- for the run that the chain has come to; delivery ids are the chain's.
CREATE OR REPLACE FUNCTION {schema}.post(
    p_run uuid[], p_kind smallint[], p_name text[], p_key text[], p_payload bytea[], p_signal smallint,
    p_cancel smallint, p_wake_topic text, p_work_topic text, p_done_topic text
) RETURNS smallint[]
LANGUAGE plpgsql
AS $$
DECLARE
    v_answers smallint[] := '{}';
    v_owned text[] := '{}';
    v_free boolean := false;
    v_follows boolean;
    v_run uuid;
    v_next uuid;
    v_root uuid;
    v_state smallint;
    v_owner bigint;
BEGIN
    IF cardinality(p_run) > 1 OR p_cancel = ANY (p_kind) THEN
        -- In everybody's order, and before a run that ends here the parent that hears of it.
        PERFORM FROM {schema}.runs r WHERE r.id IN (
            SELECT {schema}.tip(u.id) FROM unnest(p_run) AS u (id)
            UNION SELECT t.parent_id FROM unnest(p_run, p_kind) AS u (id, kind)
                  JOIN {schema}.runs t ON t.id = {schema}.tip(u.id) WHERE u.kind = p_cancel)
        ORDER BY r.depth, r.id FOR NO KEY UPDATE;
    END IF;
    FOR i IN 1 .. cardinality(p_run) LOOP
        v_follows := p_kind[i] IN (p_signal, p_cancel);
        v_run := p_run[i];
        LOOP
            -- Waits for the owner's commit in flight, so that nothing is put into a run that ends meanwhile,
            -- and so that one that continues as new is followed.
            SELECT r.state, r.owner, coalesce(r.root, r.id), r.continued_to INTO v_state, v_owner, v_root, v_next
            FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE;
            EXIT WHEN NOT FOUND OR v_next IS NULL OR NOT v_follows;
            v_run := {schema}.tip(v_run);
        END LOOP;
        IF v_state IS NULL THEN
            v_answers := v_answers || 3::smallint;
            CONTINUE;
        END IF;
        IF p_kind[i] = p_signal AND p_key[i] IS NOT NULL THEN
            INSERT INTO {schema}.deliveries (run_id, name, delivery_id) VALUES (v_root, p_name[i], p_key[i])
            ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                v_answers := v_answers || 2::smallint;
                CONTINUE;
            END IF;
        END IF;
        IF v_state = 3 AND p_kind[i] = p_cancel THEN
            -- Its code cannot run, so there is nothing to cancel in it: it ends here.
            PERFORM {schema}.conclude({schema}.ask_to_stop(
                ARRAY[v_run], p_name[i], p_done_topic, p_work_topic, p_wake_topic),
                p_done_topic, p_work_topic, p_wake_topic);
            v_answers := v_answers || 1::smallint;
            CONTINUE;
        END IF;
        IF v_state >= 4 THEN
            DELETE FROM {schema}.deliveries d
            WHERE d.run_id = v_root AND d.name = p_name[i] AND d.delivery_id = p_key[i];
            v_answers := v_answers || 4::smallint;
            CONTINUE;
        END IF;
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        VALUES (v_run, p_kind[i], p_name[i], p_key[i], p_payload[i])
        ON CONFLICT (run_id, kind, name, key) WHERE key IS NOT NULL DO NOTHING;
        IF NOT FOUND THEN
            v_answers := v_answers || 2::smallint;
            CONTINUE;
        END IF;
        v_answers := v_answers || 1::smallint;
        IF v_owner IS NULL THEN
            UPDATE {schema}.runs r SET due_at = clock_timestamp()
            WHERE r.id = v_run AND r.state <= 2 AND (r.due_at IS NULL OR r.due_at > clock_timestamp());
            v_free := true;
        ELSE
            v_owned := v_owned || v_run::text;
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

-- End the run that a chain has come to, and its descendants but the abandoned, generation by generation.
-- 1 accepted, 3 not found, 4 terminal.
CREATE FUNCTION {schema}.force_cancel(
    p_run uuid, p_done_topic text, p_work_topic text, p_wake_topic text
) RETURNS smallint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_run uuid := {schema}.tip(p_run);
    v_next uuid;
    v_state smallint;
    v_ending uuid[];
    v_ended uuid[] := '{}';
BEGIN
    LOOP
        PERFORM FROM {schema}.runs p WHERE p.id = (SELECT r.parent_id FROM {schema}.runs r WHERE r.id = v_run)
        FOR NO KEY UPDATE;
        SELECT r.state, r.continued_to INTO v_state, v_next FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE;
        EXIT WHEN v_next IS NULL;
        v_run := {schema}.tip(v_run);
    END LOOP;
    IF v_state IS NULL THEN
        RETURN 3;
    ELSIF v_state >= 4 THEN
        RETURN 4;
    END IF;
    v_ending := ARRAY[v_run];
    WHILE cardinality(v_ending) > 0 LOOP
        UPDATE {schema}.runs r
        SET state = 6, owner = NULL, due_at = NULL, token = nextval('{schema}.fencing_token'),
            reason = CASE WHEN r.id <> v_run THEN 'parent_cancelled' END,
            updated_at = clock_timestamp(), completed_at = clock_timestamp()
        WHERE r.id = ANY (v_ending) AND r.state <= 3;
        v_ended := v_ended || v_ending;
        v_ending := {schema}.lock_children(v_ending, true);
    END LOOP;
    DELETE FROM {schema}.tasks t WHERE t.run_id = ANY (v_ended);
    PERFORM {schema}.conclude(ARRAY[v_run], p_done_topic, p_work_topic, p_wake_topic);
    PERFORM {schema}.hint(p_done_topic, v_ended::text[]);
    -- The mark tells a host that the run is no longer its own, where a plain id means mail; so every id is told.
    FOR i IN 0 .. (cardinality(v_ended) - 1) / 190 LOOP
        PERFORM {schema}.hint(p_wake_topic, ARRAY(
            SELECT '!' || e.id FROM unnest(v_ended[i * 190 + 1 : i * 190 + 190]) AS e (id)));
    END LOOP;
    RETURN 1;
END
$$;

-- Turn answers of tasks into mail for their runs. A failure counts only while the task
-- is still the worker's; a result is never thrown away, whoever owns task or run by now.
CREATE OR REPLACE FUNCTION {schema}.answer_tasks(
    p_worker bigint, p_run uuid[], p_seq integer[], p_dispatch integer[], p_kind smallint[], p_payload bytea[],
    p_completed smallint, p_wake_topic text, p_work_topic text
) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    v_runs text[];
BEGIN
    -- Waits for commits in flight: a run that is being released must not miss its mail.
    PERFORM FROM {schema}.runs r WHERE r.id = ANY (p_run) ORDER BY r.depth, r.id FOR NO KEY UPDATE;
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

-- Remove up to p_limit runs whose retention is over, with all that belongs to them. A chain goes whole, by the
-- time of its tip; a child stays while its parent lives.
CREATE FUNCTION {schema}.remove_retained(p_limit integer) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_roots uuid[];
    v_runs uuid[];
BEGIN
    SELECT array_agg(l.root) INTO v_roots FROM (
        SELECT coalesce(r.root, r.id) AS root FROM {schema}.runs r
        WHERE r.retain_until <= clock_timestamp() AND r.continued_to IS NULL AND r.state >= 4
          AND NOT EXISTS (SELECT FROM {schema}.runs p WHERE p.id = r.parent_id AND p.state <= 3)
        ORDER BY r.retain_until LIMIT p_limit FOR UPDATE SKIP LOCKED
    ) l;
    IF v_roots IS NULL THEN
        RETURN 0;
    END IF;
    v_runs := v_roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (v_roots));
    DELETE FROM {schema}.events x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.snapshots x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.refusals x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.inbox x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.tasks x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.heartbeats x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.deliveries x WHERE x.run_id = ANY (v_roots);
    DELETE FROM {schema}.cells x WHERE x.root = ANY (v_roots);
    DELETE FROM {schema}.runs x WHERE x.id = ANY (v_runs);
    RETURN cardinality(v_runs);
END
$$;
