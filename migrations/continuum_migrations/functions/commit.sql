-- The one write path of run owners. The worker's row is locked by its update, so that
-- whoever takes the lease away waits for us, or we find no row after it; then every run
-- is locked, parents first and by id, and its token compared. Indexes are forced: a plan made
-- while the tables were small would scan them for ever. A batch without `p_more.depths` has runs of
-- one depth only, whose ends their parents need not be locked for.
CREATE OR REPLACE FUNCTION {schema}.commit_batch(
    p_worker bigint, p_batch bigint,
    p_runs uuid[], p_tokens bigint[],
    e_run uuid[], e_seq integer[], e_type smallint[], e_at timestamptz[], e_payload bytea[],
    p_consumed bigint[],
    t_run uuid[], t_state smallint[], t_due timestamptz[], t_release boolean[],
    t_result bytea[], t_error bytea[], t_reason text[], t_fault text[], t_progress boolean[],
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
    -- Of the transitions, in their order.
    v_retention double precision[] := p_more.r_seconds;
    v_now timestamptz;
    v_ended uuid[];
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

    IF cardinality(p_more.depths) > 0 THEN
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
        v_now := clock_timestamp();
        UPDATE {schema}.runs r
        SET state = t.state,
            -- Mail that waits for a run nobody owns makes it due, also mail that came during the release.
            due_at = CASE WHEN t.release AND EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id)
                          THEN v_now ELSE t.due END,
            owner = CASE WHEN t.release OR t.state >= 3 THEN NULL ELSE r.owner END,
            result = t.result,
            error = t.error,
            reason = t.reason,
            fault = t.fault::jsonb,
            deaths = CASE WHEN t.progress THEN 0 ELSE r.deaths END,
            fresh = false,
            updated_at = v_now,
            completed_at = CASE WHEN t.state >= 4 THEN v_now END,
            retain_until = CASE WHEN t.state >= 4 AND t.retention < 3e9
                                THEN v_now + t.retention * interval '1 second' END
        FROM unnest(t_run, t_state, t_due, t_release, t_result, t_error, t_reason, t_fault, t_progress,
                    v_retention)
            AS t (run_id, state, due, release, result, error, reason, fault, progress, retention)
        WHERE r.id = t.run_id AND (v_all OR t.run_id = ANY (v_held));
        IF true = ANY (t_release) THEN
            IF EXISTS (
                SELECT FROM unnest(t_run, t_release) AS t (run_id, release) JOIN {schema}.runs r ON r.id = t.run_id
                WHERE t.release AND r.due_at < clock_timestamp() + interval '15 seconds'
            ) THEN
                -- Whoever naps until something later is due must hear of it.
                PERFORM {schema}.hint(p_work_topic, '{}');
            END IF;
        END IF;
    END IF;

    IF v_composed THEN
        PERFORM {schema}.compose(p_more, v_held, p_done_topic, p_work_topic, p_wake_topic);
    END IF;

    IF 4 <= ANY (t_state) THEN
        v_ended := ARRAY(
            SELECT t.run_id FROM unnest(t_run, t_state) AS t (run_id, state)
            WHERE t.state >= 4 AND (v_all OR t.run_id = ANY (v_held)));
        DELETE FROM {schema}.tasks k WHERE k.run_id = ANY (v_ended);
        PERFORM {schema}.hint(p_done_topic, v_ended::text[]);
        IF v_family THEN
            PERFORM {schema}.conclude(v_ended, p_done_topic, p_work_topic, p_wake_topic);
        END IF;
    END IF;

    at := clock_timestamp();
    rejected := '{}';
    IF NOT v_all THEN
        rejected := ARRAY(
            SELECT u.id FROM unnest(p_runs, p_tokens) AS u (id, token)
            WHERE u.token <> -1 AND u.id <> ALL (v_held));
    END IF;
    RETURN NEXT;
END
$$;
