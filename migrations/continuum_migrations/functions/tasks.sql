-- Claim due tasks that are not paused, within the number of tasks of each queue that this node may run at once. If it stops
-- after many of paused runs without having found any, a row without a task says that the next claim continues.
CREATE OR REPLACE FUNCTION {schema}.claim_tasks_in_parts(
    p_worker bigint, p_activities text[], p_isolated boolean,
    p_queues text[], p_limits integer[], p_unlisted integer, p_limit integer, p_namespaces text[]
) RETURNS TABLE (run_id uuid, seq integer, dispatch integer, attempt integer, queue text, activity text,
                 arguments bytea, timeout double precision, key text, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_node text;
    v_suspects boolean := NOT p_isolated AND EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any});
    v_pauses boolean;
    v_queues text[];
    v_room integer[];
    v_locked record;
BEGIN
    held := false;
    SELECT w.node INTO v_node FROM {schema}.workers w
    WHERE w.id = p_worker AND w.expires_at > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    -- The processes of a node share its limits, so they count one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('{schema.name}.tasks.' || v_node, 0));
    v_pauses := {schema}.any_pause();
    IF EXISTS (SELECT FROM {schema}.tasks t WHERE t.held_by > 0) THEN
        PERFORM {schema}.free_held_tasks();
    END IF;
    WITH RECURSIVE queues (name) AS (
        (SELECT t.queue FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = p_isolated
         ORDER BY t.queue LIMIT 1)
        UNION ALL
        SELECT (SELECT t.queue FROM {schema}.tasks t
                WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = p_isolated AND t.queue > q.name
                ORDER BY t.queue LIMIT 1)
        FROM queues q WHERE q.name IS NOT NULL
    ), busy AS MATERIALIZED (
        SELECT t.queue AS name, count(*)::integer AS running FROM {schema}.workers w
        JOIN {schema}.tasks t ON t.owner = w.id WHERE w.node = v_node GROUP BY t.queue
    ), room AS MATERIALIZED (
        SELECT q.name,
               coalesce((SELECT l.most FROM unnest(p_queues, p_limits) AS l (name, most) WHERE l.name = q.name),
                        p_unlisted) - coalesce((SELECT b.running FROM busy b WHERE b.name = q.name), 0) AS free
        FROM queues q WHERE q.name IS NOT NULL
          AND NOT (v_pauses AND EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind = 'queue' AND p.name = q.name))
    )
    SELECT array_agg(r.name), array_agg(r.free) INTO v_queues, v_room FROM room r WHERE r.free > 0;
    IF v_queues IS NULL THEN
        RETURN;
    END IF;
    SELECT l.* INTO v_locked FROM {schema}.lock_tasks(
        v_node, p_activities, p_isolated, v_queues, v_room, p_limit, p_namespaces, v_suspects, v_pauses) l;
    IF v_locked.stopped THEN
        -- Others may look now, and this node if it finds only some.
        PERFORM {schema}.notify('tasks', '{}');
    END IF;
    RETURN QUERY
    WITH chosen AS (
        SELECT t.run_id, t.seq FROM unnest(v_locked.runs, v_locked.seqs) AS l (run_id, seq)
        JOIN {schema}.tasks t ON t.run_id = l.run_id AND t.seq = l.seq
        ORDER BY t.priority DESC, t.due_at LIMIT p_limit
    )
    UPDATE {schema}.tasks AS t SET owner = p_worker, claimed_at = clock_timestamp()
    FROM chosen c WHERE t.run_id = c.run_id AND t.seq = c.seq
    RETURNING t.run_id, t.seq, t.dispatch, t.attempt, t.queue, t.activity, t.arguments, t.timeout, t.key, true;
    IF NOT FOUND AND v_locked.stopped THEN
        held := true;
        RETURN NEXT;
    END IF;
END
$$;

-- For nodes of earlier releases, which wait for the notification.
CREATE OR REPLACE FUNCTION {schema}.claim_tasks(
    p_worker bigint, p_activities text[], p_isolated boolean,
    p_queues text[], p_limits integer[], p_unlisted integer, p_limit integer, p_namespaces text[]
) RETURNS TABLE (run_id uuid, seq integer, dispatch integer, attempt integer, queue text, activity text,
                 arguments bytea, timeout double precision, key text, held boolean)
LANGUAGE sql AS $$
    SELECT * FROM {schema}.claim_tasks_in_parts(
        p_worker, p_activities, p_isolated, p_queues, p_limits, p_unlisted, p_limit, p_namespaces)
    WHERE run_id IS NOT NULL OR NOT held
$$;

-- Turn results of tasks into mail for their runs. A value is never lost, whichever worker owns the task or the run by
-- now. Nor is a failure of a worker that was taken for dead, until the task is dispatched again: then that one decides.
CREATE OR REPLACE FUNCTION {schema}.complete_tasks(
    p_worker bigint, p_run uuid[], p_seq integer[], p_dispatch integer[], p_kind smallint[], p_payload bytea[]
) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    v_runs text[];
    v_free uuid[];
BEGIN
    -- This waits for commits in flight: a run that is being released must not miss its mail.
    PERFORM FROM {schema}.runs r WHERE r.id = ANY (p_run) ORDER BY r.depth, r.id FOR NO KEY UPDATE;
    WITH result AS MATERIALIZED (
        SELECT * FROM unnest(p_run, p_seq, p_dispatch, p_kind, p_payload)
            AS a (run_id, seq, dispatch, kind, payload)
    ), mine AS (
        DELETE FROM {schema}.tasks t USING result a
        WHERE t.run_id = a.run_id AND t.seq = a.seq AND t.dispatch = a.dispatch AND t.owner = p_worker
        RETURNING t.run_id, t.seq, t.dispatch
    ), mailed AS (
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT a.run_id, a.kind, a.seq::text, a.dispatch::text, a.payload FROM result a
        JOIN {schema}.runs r ON r.id = a.run_id AND r.state {is_open}
        WHERE a.kind = {kind.activity_completed}
           OR EXISTS (SELECT FROM mine m WHERE m.run_id = a.run_id AND m.seq = a.seq AND m.dispatch = a.dispatch)
           OR NOT EXISTS (SELECT FROM {schema}.tasks t WHERE t.run_id = a.run_id AND t.seq = a.seq)
        ON CONFLICT DO NOTHING
        RETURNING inbox.run_id
    )
    SELECT array_agg(m.run_id::text) INTO v_runs FROM mailed m;
    IF v_runs IS NOT NULL THEN
        PERFORM {schema}.notify_each('wake', v_runs);
        WITH due AS (
            UPDATE {schema}.runs r SET due_at = clock_timestamp(), asleep = false
            WHERE r.id = ANY (v_runs::uuid[]) AND r.owner IS NULL AND r.state {is_active} RETURNING r.id
        )
        SELECT array_agg(d.id) INTO v_free FROM due d;
        IF v_free IS NOT NULL THEN
            PERFORM {schema}.announce_mail(v_free);
        END IF;
    END IF;
    RETURN coalesce(cardinality(v_runs), 0);
END
$$;
