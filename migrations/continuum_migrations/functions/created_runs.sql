-- A batch some of whose writes create their runs, which the worker owns from then on. A run whose id or idempotency key
-- is taken is not created, nor is one of a paused workflow or namespace, and its write is rejected like any other without a token.
--
-- Nobody else can have locked a row that this transaction inserts, so the batch may write to other runs, too. Keys are
-- inserted in the order of a start, and before any run is locked: who waits for a key holds no run.
CREATE OR REPLACE FUNCTION {schema}.commit_creating_batch(
    p_worker bigint, p_batch bigint, p_runs {schema}.commit_runs, p_events {schema}.commit_events,
    p_consumed bigint[], p_transitions {schema}.commit_transitions, p_tasks {schema}.commit_tasks,
    p_dropped {schema}.commit_dropped, p_family {schema}.commit_family, p_limits {schema}.commit_task_limits,
    p_created {schema}.commit_taken, p_keys text[], p_attributes text[]
) RETURNS TABLE (at timestamptz, rejected uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_deadly text[] := CASE WHEN EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any})
                            THEN {schema}.deadly_workflows() ELSE '{}' END;
    v_pauses boolean := EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue');
BEGIN
    IF {schema}.may_commit(p_worker, p_batch) THEN
        INSERT INTO {schema}.runs (id, token, workflow, version, namespace, input, idempotency_key, attributes,
                                   trace_context, started_at, owner, claimed_at, attempt, fresh)
        SELECT c.run, c.token, c.workflow, c.version, c.namespace, c.input, c.key, c.attributes::jsonb, c.trace, c.started,
               p_worker, clock_timestamp(), 1, false
        FROM unnest(p_created.run, p_created.token, p_created.workflow, p_created.version, p_created.namespace,
                    p_created.input, p_keys, p_attributes, p_created.trace, p_created.started)
            WITH ORDINALITY
            AS c (run, token, workflow, version, namespace, input, key, attributes, trace, started, place)
        WHERE c.workflow <> ALL (v_deadly) AND NOT (v_pauses AND {schema}.paused_together(c.workflow, c.namespace, NULL))
        ORDER BY c.namespace, c.workflow, c.key, CASE WHEN c.key IS NULL THEN c.run END, c.place
        ON CONFLICT DO NOTHING;
    END IF;
    IF p_limits IS NULL THEN
        RETURN QUERY SELECT b.at, b.rejected FROM {schema}.commit_batch(
            p_worker, p_batch, p_runs, p_events, p_consumed, p_transitions, p_tasks, p_dropped, p_family) b;
    ELSE
        RETURN QUERY SELECT b.at, b.rejected FROM {schema}.commit_limited_batch(
            p_worker, p_batch, p_runs, p_events, p_consumed, p_transitions, p_tasks, p_dropped, p_family, p_limits) b;
    END IF;
END
$$;
