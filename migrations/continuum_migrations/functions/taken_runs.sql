-- Whether a batch that gives its worker runs may begin; the worker is locked, as the commit will lock it. If not, its lease
-- is lost or the batch was applied before, and the commit itself reports that.
CREATE OR REPLACE FUNCTION {schema}.may_commit(p_worker bigint, p_batch bigint) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM {schema}.workers w
    WHERE w.id = p_worker AND w.batch < p_batch AND w.expires_at > clock_timestamp() FOR NO KEY UPDATE;
    RETURN FOUND;
END
$$;

-- Make a worker the owner of runs that its writes take. Nobody has claimed such a run, it has no mail, and its row is as
-- it was announced; nor is it paused. This does not wait for a run that somebody else has locked.
CREATE OR REPLACE FUNCTION {schema}.take_runs(
    p_worker bigint, p_batch bigint, p_taken {schema}.commit_taken
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_suspects boolean := EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any});
    v_deadly text[] := CASE WHEN v_suspects THEN {schema}.deadly_workflows() END;
    v_pauses boolean := EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue');
    v_free uuid[];
BEGIN
    IF NOT {schema}.may_commit(p_worker, p_batch) THEN
        RETURN;
    END IF;
    v_free := ARRAY(
        SELECT r.id FROM unnest(p_taken.run, p_taken.workflow, p_taken.namespace, p_taken.input, p_taken.trace,
                                p_taken.started) AS t (run, workflow, namespace, input, trace, started)
        CROSS JOIN LATERAL (
            SELECT x.id FROM {schema}.runs x
            WHERE x.id = t.run AND x.token = 0 AND x.owner IS NULL AND x.state {is_active} AND x.version IS NULL
              AND x.depth = 0 AND x.continued_from IS NULL
              AND x.workflow = t.workflow AND x.namespace = t.namespace AND x.input = t.input
              AND x.trace_context IS NOT DISTINCT FROM t.trace AND x.started_at = t.started
              AND x.paused_at IS NULL
              AND NOT (v_pauses AND {schema}.paused_together(x.workflow, x.namespace, x.pause_lifted_at))
              AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
            FOR UPDATE SKIP LOCKED
        ) r);
    -- A statement of its own: it sees the mail that was committed before the lock, and none can come after it.
    UPDATE {schema}.runs r
    SET owner = p_worker, token = t.token, state = {state.running}, due_at = NULL, claimed_at = clock_timestamp(),
        attempt = 1, fresh = false, updated_at = clock_timestamp(), version = t.version
    FROM unnest(p_taken.run, p_taken.token, p_taken.version) AS t (run, token, version)
    WHERE r.id = t.run AND r.id = ANY (v_free) AND NOT EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id);
END
$$;

-- A batch whose writes take their runs. All its runs are locked before the commit locks them again, so none of its
-- writes may be of a run that has an owner: the commit would wait for that one out of the order of locks.
CREATE OR REPLACE FUNCTION {schema}.commit_taking_batch(
    p_worker bigint, p_batch bigint, p_runs {schema}.commit_runs, p_events {schema}.commit_events,
    p_consumed bigint[], p_transitions {schema}.commit_transitions, p_tasks {schema}.commit_tasks,
    p_dropped {schema}.commit_dropped, p_family {schema}.commit_family, p_limits {schema}.commit_task_limits,
    p_taken {schema}.commit_taken
) RETURNS TABLE (at timestamptz, rejected uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM {schema}.take_runs(p_worker, p_batch, p_taken);
    RETURN QUERY SELECT b.at, b.rejected FROM {schema}.commit_limited_batch(
        p_worker, p_batch, p_runs, p_events, p_consumed, p_transitions, p_tasks, p_dropped, p_family, p_limits) b;
END
$$;
