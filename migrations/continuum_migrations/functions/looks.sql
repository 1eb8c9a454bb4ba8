-- What a node that is not notified has to know, in one look: when the next run is due that it may claim; the latest task
-- for it, or any number when there are too many to look at; rows of mail of runs that its workers own, with these runs;
-- the latest mail of all; whether suspects wait. Mail counts from p_after on, exclusively; NULL means all of it, and
-- then the latest row of each run is enough. More mail than fits into a notification is NULL: any run may have some.
-- Times are microseconds, so that no setting of a session changes how the answer reads.
CREATE OR REPLACE FUNCTION {schema}.look(
    p_node text, p_workers bigint[], p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[],
    p_grace double precision, p_activities text[], p_namespaces text[], p_after bigint
) RETURNS TABLE (due bigint, tasks bigint, mail bigint[], mailed text[], newest bigint, suspects boolean, at bigint)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_due timestamptz := {schema}.next_due(p_workflows, p_versions, p_current, p_others, p_grace, p_namespaces);
    v_looked integer;
    v_pauses boolean := {schema}.any_pause();
BEGIN
    at := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    -- A run that is due at infinity never is.
    due := (extract(epoch FROM CASE WHEN isfinite(v_due) THEN v_due END) * 1000000)::bigint;
    SELECT count(*), max((extract(epoch FROM t.due_at) * 1000000)::bigint) FILTER (WHERE
        t.activity = ANY (p_activities) AND (t.node IS NULL OR t.node = p_node) AND isfinite(t.due_at)
        AND NOT (v_pauses AND {schema}.is_task_paused(t.queue, t.run_id))
        AND (p_namespaces IS NULL
             OR (SELECT r.namespace FROM {schema}.runs r WHERE r.id = t.run_id) = ANY (p_namespaces)))
    INTO v_looked, tasks FROM (
        SELECT x.run_id, x.queue, x.activity, x.node, x.due_at FROM {schema}.tasks x
        WHERE x.owner IS NULL AND x.held_by IS NULL
        UNION ALL
        SELECT x.run_id, x.queue, x.activity, x.node, x.due_at
        FROM unnest({schema}.ended_holds()) AS h (number) JOIN {schema}.tasks x ON x.held_by = h.number WHERE x.owner IS NULL
        LIMIT {limit.looked_tasks}
    ) t;
    IF v_looked = {limit.looked_tasks} THEN
        -- No number that is another one each time: what is here for others would keep the node looking.
        tasks := coalesce(tasks, 0);
    END IF;
    SELECT coalesce(array_agg(m.row_id), '{}'), coalesce(array_agg(m.run_id::text), '{}') INTO mail, mailed FROM (
        SELECT i.id AS row_id, r.id AS run_id FROM {schema}.runs r
        CROSS JOIN LATERAL (
            SELECT x.id FROM {schema}.inbox x WHERE x.run_id = r.id ORDER BY x.run_id DESC, x.id DESC LIMIT 1
        ) i WHERE p_after IS NULL AND r.owner = ANY (p_workers)
        UNION ALL
        SELECT i.id, i.run_id FROM {schema}.inbox i
        CROSS JOIN LATERAL (SELECT x.owner FROM {schema}.runs x WHERE x.id = i.run_id OFFSET 0) r
        WHERE i.id > p_after AND r.owner = ANY (p_workers)
        LIMIT {limit.ids} + 1
    ) m;
    IF cardinality(mail) > {limit.ids} THEN
        mail := NULL;
    END IF;
    newest := coalesce((SELECT max(i.id) FROM {schema}.inbox i), 0);
    suspects := {schema}.suspects_wait();
    RETURN NEXT;
END
$$;
