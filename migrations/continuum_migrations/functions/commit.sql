-- The one write path of the owners of runs.
--
-- The fence: the update of the worker's row locks it, so that a retirement of the worker waits for this commit, or
-- this commit finds no row after it. Then every run is locked, parents first and by id, and its token compared.
--
-- Each part of a batch is one composite of arrays, NULL when the batch has nothing of it; the fields are named in
-- tables/. Runs without depths are of one generation, in the order of their ids; the parents of such runs need no lock.
--
-- Functions of the hot path forbid sequential scans and hash and merge joins, here and in other files, and use one
-- generic plan: a session that planned while the tables were small would scan them for ever.
CREATE OR REPLACE FUNCTION {schema}.commit_batch(
    p_worker bigint, p_batch bigint, p_runs {schema}.commit_runs, p_events {schema}.commit_events,
    p_consumed bigint[], p_transitions {schema}.commit_transitions, p_tasks {schema}.commit_tasks,
    p_dropped {schema}.commit_dropped, p_family {schema}.commit_family
) RETURNS TABLE (at timestamptz, rejected uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_held uuid[];
    v_all boolean;
    v_family boolean;
    v_now timestamptz;
    v_ended uuid[];
    v_tried jsonb;
BEGIN
    UPDATE {schema}.workers SET batch = p_batch
    WHERE id = p_worker AND batch < p_batch AND expires_at > clock_timestamp();
    IF NOT FOUND THEN
        -- The caller repeats a batch whose result it did not receive. It was applied, so return its outcome only.
        RETURN QUERY
        SELECT clock_timestamp(), ARRAY(
            SELECT u.id FROM unnest(p_runs.id, p_runs.token) AS u (id, token)
            WHERE u.token <> {token.lock_only}
              AND NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = u.id AND r.token = u.token))
        FROM {schema}.workers w WHERE w.id = p_worker AND w.batch = p_batch;
        RETURN;
    END IF;

    IF cardinality(p_runs.depth) > 0 THEN
        v_held := {schema}.lock_generations(p_worker, p_runs, p_transitions.run, p_transitions.state, p_family);
        v_family := true;
        v_all := NOT EXISTS (SELECT FROM unnest(p_runs.id, p_runs.token) AS u (id, token)
                             WHERE u.token <> {token.lock_only} AND u.id <> ALL (v_held));
    ELSE
        SELECT coalesce(array_agg(h.id), '{}'), bool_or(h.family) INTO v_held, v_family FROM (
            SELECT r.id, r.family
            FROM unnest(p_runs.id, p_runs.token) AS u (id, token)
            CROSS JOIN LATERAL (
                SELECT x.id, x.has_children OR x.parent_seq IS NOT NULL AS family FROM {schema}.runs x
                -- Not "=", which would let the plan read everything that the worker owns for each run.
                WHERE x.id = u.id AND x.token = u.token AND x.owner IS NOT DISTINCT FROM p_worker
                FOR NO KEY UPDATE
            ) r
        ) h;
        v_all := cardinality(v_held) = cardinality(p_runs.id);
    END IF;

    IF cardinality(p_events.run) > 0 THEN
        INSERT INTO {schema}.events (run_id, seq, type, at, payload)
        SELECT e.run, e.seq, e.type, e.at, e.payload
        FROM unnest(p_events.run, p_events.seq, p_events.type, p_events.at, p_events.payload)
            AS e (run, seq, type, at, payload)
        WHERE v_all OR e.run = ANY (v_held);
    END IF;

    IF cardinality(p_consumed) > 0 THEN
        DELETE FROM {schema}.inbox i WHERE i.id = ANY (p_consumed) AND (v_all OR i.run_id = ANY (v_held));
    END IF;

    IF cardinality(p_dropped.run) > 0 THEN
        DELETE FROM {schema}.tasks t USING unnest(p_dropped.run, p_dropped.seq) AS d (run, seq)
        WHERE t.run_id = d.run AND t.seq = d.seq AND (v_all OR d.run = ANY (v_held));
    END IF;

    IF cardinality(p_tasks.run) > 0 THEN
        INSERT INTO {schema}.tasks (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments,
                                    timeout, key, node)
        SELECT k.* FROM unnest(p_tasks.run, p_tasks.seq, p_tasks.dispatch, p_tasks.attempt, p_tasks.queue,
                               p_tasks.priority, p_tasks.isolated, p_tasks.activity, p_tasks.arguments,
                               p_tasks.timeout, p_tasks.key, p_tasks.node)
            AS k (run, seq, dispatch, attempt, queue, priority, isolated, activity, arguments, timeout, key, node)
        WHERE v_all OR k.run = ANY (v_held)
        ON CONFLICT (run_id, seq) DO UPDATE SET dispatch = excluded.dispatch, attempt = excluded.attempt,
            node = excluded.node, owner = NULL, due_at = clock_timestamp(), claimed_at = NULL
            WHERE tasks.dispatch < excluded.dispatch;
        PERFORM {schema}.notify('tasks', '{}');
    END IF;

    IF cardinality(p_transitions.run) > 0 THEN
        v_now := clock_timestamp();
        IF {state.blocked} = ANY (p_transitions.state) OR cardinality(p_family.refused_run) > 0 THEN
            v_tried := {schema}.tried_again(ARRAY(
                SELECT t.run FROM unnest(p_transitions.run) AS t (run) WHERE v_all OR t.run = ANY (v_held)));
        END IF;
        UPDATE {schema}.runs r
        SET state = t.state,
            -- Mail makes a run without an owner due, also mail that came during the release.
            due_at = CASE WHEN t.release AND EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id)
                          THEN v_now ELSE t.due END,
            asleep = coalesce(t.release AND t.due > v_now, false),
            owner = CASE WHEN t.release OR NOT t.state {is_active} THEN NULL ELSE r.owner END,
            result = t.result,
            error = t.error,
            reason = t.reason,
            -- In the place of a fault, which is an object, a suspended run has an array: what it waits for.
            fault = CASE WHEN NOT starts_with(t.fault, '[') THEN t.fault::jsonb END,
            waits_for = CASE WHEN starts_with(t.fault, '[') AND t.state = {state.suspended} THEN t.fault::jsonb END,
            -- Those signals stand first only if nothing else is there that could wake the run.
            for_nothing = CASE WHEN (t.fault = '[]' OR starts_with(t.fault, '[["unread"')) AND t.state = {state.suspended}
                               THEN true END,
            deaths = CASE WHEN t.progress THEN 0 ELSE r.deaths END,
            fresh = false,
            updated_at = v_now,
            completed_at = CASE WHEN t.state {is_terminal} THEN v_now END,
            retain_until = CASE WHEN t.state {is_terminal} AND t.retention < {limit.retention_seconds}
                                THEN v_now + t.retention * interval '1 second' END
        FROM unnest(p_transitions.run, p_transitions.state, p_transitions.due, p_transitions.release,
                    p_transitions.result, p_transitions.error, p_transitions.reason, p_transitions.fault,
                    p_transitions.progress, p_transitions.retention)
            AS t (run, state, due, release, result, error, reason, fault, progress, retention)
        WHERE r.id = t.run AND (v_all OR t.run = ANY (v_held));
        IF v_tried IS NOT NULL THEN
            PERFORM {schema}.block_again(v_tried, p_family.refused_run, p_family.refused_fault);
        END IF;
        IF true = ANY (p_transitions.release) THEN
            IF EXISTS (
                SELECT FROM unnest(p_transitions.run, p_transitions.release) AS t (run, release)
                JOIN {schema}.runs r ON r.id = t.run
                -- Longer than a dispatcher sleeps without looking for itself.
                WHERE t.release AND r.due_at < clock_timestamp() + interval '15 seconds'
            ) THEN
                -- Without it, a dispatcher that sleeps until something later is due would be late.
                PERFORM {schema}.notify('work', '{}');
            END IF;
        END IF;
    END IF;

    IF NOT (p_family IS NULL) THEN
        PERFORM {schema}.write_families(p_family, v_held);
    END IF;

    IF {state.completed} <= ANY (p_transitions.state) THEN
        v_ended := ARRAY(
            SELECT t.run FROM unnest(p_transitions.run, p_transitions.state) AS t (run, state)
            WHERE t.state {is_terminal} AND (v_all OR t.run = ANY (v_held)));
        DELETE FROM {schema}.tasks k WHERE k.run_id = ANY (v_ended);
        PERFORM {schema}.notify('done', v_ended::text[]);
        IF v_family THEN
            PERFORM {schema}.after_end(v_ended);
        END IF;
    END IF;

    IF {state.blocked} = ANY (p_transitions.state) OR v_tried IS NOT NULL THEN
        PERFORM {schema}.end_stopped(ARRAY(
            SELECT t.run FROM unnest(p_transitions.run) AS t (run) WHERE v_all OR t.run = ANY (v_held)));
    END IF;

    at := clock_timestamp();
    rejected := '{}';
    IF NOT v_all THEN
        rejected := ARRAY(
            SELECT u.id FROM unnest(p_runs.id, p_runs.token) AS u (id, token)
            WHERE u.token <> {token.lock_only} AND u.id <> ALL (v_held));
    END IF;
    RETURN NEXT;
END
$$;

-- A batch with tasks that have limits besides the timeout of one attempt; few have.
CREATE OR REPLACE FUNCTION {schema}.commit_limited_batch(
    p_worker bigint, p_batch bigint, p_runs {schema}.commit_runs, p_events {schema}.commit_events,
    p_consumed bigint[], p_transitions {schema}.commit_transitions, p_tasks {schema}.commit_tasks,
    p_dropped {schema}.commit_dropped, p_family {schema}.commit_family, p_limits {schema}.commit_task_limits
) RETURNS TABLE (at timestamptz, rejected uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    SELECT b.at, b.rejected INTO at, rejected FROM {schema}.commit_batch(
        p_worker, p_batch, p_runs, p_events, p_consumed, p_transitions, p_tasks, p_dropped, p_family) b;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- The owner of a run whose write is rejected may have given that dispatch to another activity.
    UPDATE {schema}.tasks t SET heartbeat_timeout = l.heartbeat, deadline = l.deadline
    FROM unnest(p_limits.run, p_limits.seq, p_limits.dispatch, p_limits.heartbeat, p_limits.deadline)
        AS l (run, seq, dispatch, heartbeat, deadline)
    WHERE t.run_id = l.run AND t.seq = l.seq AND t.dispatch = l.dispatch AND l.run <> ALL (rejected);
    RETURN NEXT;
END
$$;
