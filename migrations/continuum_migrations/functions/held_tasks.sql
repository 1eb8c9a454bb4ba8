-- Held tasks: claims put tasks of paused runs aside, so that many of them do not slow the others of their queue. A claim holds
-- what it would pass over anyway, so nothing depends on how many are held. Where a run is resumed or its pauses are lifted, its
-- tasks are freed under the lock of the run. Those held by the number of a pause that has ended are freed by claims.

-- Hold tasks of paused runs that the caller has locked, and return how many. A run or a pause that is locked is left for
-- another time: so this waits for nobody, whatever it has locked. Neither a run nor a pause that it has seen ends meanwhile.
CREATE OR REPLACE FUNCTION {schema}.hold_tasks(p_runs uuid[], p_seqs integer[]) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_runs uuid[];
    v_seqs integer[];
    v_pauses integer[];
    v_held integer;
BEGIN
    SELECT array_agg(l.run_id), array_agg(l.seq) INTO v_runs, v_seqs FROM (
        SELECT a.run_id, a.seq FROM unnest(p_runs, p_seqs) AS a (run_id, seq) JOIN {schema}.runs r ON r.id = a.run_id
        FOR SHARE OF r SKIP LOCKED
    ) l;
    v_pauses := ARRAY(SELECT p.number FROM {schema}.pauses p WHERE p.kind <> 'queue' FOR KEY SHARE SKIP LOCKED);
    -- Now that they are locked: what the caller saw may have changed before.
    UPDATE {schema}.tasks t SET held_by = h.number
    FROM (
        SELECT l.run_id, l.seq, CASE WHEN r.paused_at IS NOT NULL THEN 0 ELSE (
            SELECT min(p.number) FROM {schema}.pauses p
            WHERE (p.kind = 'workflow' AND p.name = r.workflow AND p.namespace IN ('', r.namespace)
                   OR p.kind = 'namespace' AND p.name = r.namespace)
              AND (r.pause_lifted_at IS NULL OR p.since > r.pause_lifted_at) AND p.number = ANY (v_pauses)) END AS number
        FROM unnest(v_runs, v_seqs) AS l (run_id, seq) JOIN {schema}.runs r ON r.id = l.run_id
    ) h
    WHERE t.run_id = h.run_id AND t.seq = h.seq AND h.number IS NOT NULL;
    GET DIAGNOSTICS v_held = ROW_COUNT;
    RETURN v_held;
END
$$;

-- Lock the next due tasks that a node may run, in the order of each queue, up to the room of the queue and p_limit; hold those
-- of paused runs that come before. More than {limit.held_tasks} of these are left for the next claim, and `stopped` says so.
CREATE OR REPLACE FUNCTION {schema}.lock_tasks(
    p_node text, p_activities text[], p_isolated boolean, p_queues text[], p_room integer[], p_limit integer,
    p_namespaces text[], p_suspects boolean, p_pauses boolean, OUT runs uuid[], OUT seqs integer[], OUT stopped boolean
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_first CURSOR (c_queue text, c_most integer) FOR
        SELECT t.run_id, t.seq,
               -- As `is_paused` says, which as a call takes several times as long.
               p_pauses AND coalesce((
                   SELECT r.paused_at IS NOT NULL OR EXISTS (
                       SELECT FROM {schema}.pauses p
                       WHERE (p.kind = 'workflow' AND p.name = r.workflow AND p.namespace IN ('', r.namespace)
                              OR p.kind = 'namespace' AND p.name = r.namespace)
                         AND (r.pause_lifted_at IS NULL OR p.since > r.pause_lifted_at))
                   FROM {schema}.runs r WHERE r.id = t.run_id), false) AS paused
        FROM {schema}.tasks t
        WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = p_isolated AND t.queue = c_queue AND t.due_at <= now()
          AND t.activity = ANY (p_activities) AND (t.node IS NULL OR t.node = p_node)
          AND NOT (p_suspects AND EXISTS (
              SELECT FROM {schema}.suspects s
              WHERE s.run_id = t.run_id AND s.seq = t.seq AND s.level > {suspicion.any}))
          -- A value and not "EXISTS", for which the plan would read every run of the namespaces.
          AND (p_namespaces IS NULL
               OR (SELECT r.namespace FROM {schema}.runs r WHERE r.id = t.run_id) = ANY (p_namespaces))
        ORDER BY t.priority DESC, t.due_at LIMIT c_most FOR UPDATE OF t SKIP LOCKED;
    v_task record;
    v_room integer;
    v_most integer;
    v_runs uuid[] := '{}';
    v_seqs integer[] := '{}';
BEGIN
    runs := '{}';
    seqs := '{}';
    stopped := false;
    FOR i IN 1 .. cardinality(p_queues) LOOP
        v_room := least(p_room[i], p_limit);
        -- Tasks of one queue leave some for each of those that follow.
        v_most := greatest({limit.first_tasks},
                           {limit.held_tasks} - cardinality(v_runs) - {limit.first_tasks} * (cardinality(p_queues) - i));
        OPEN v_first (p_queues[i], v_room + v_most);
        WHILE v_room > 0 LOOP
            -- One after the other: what it locks and does not take, others would pass over.
            FETCH v_first INTO v_task;
            EXIT WHEN NOT FOUND;
            IF v_task.paused THEN
                v_runs := v_runs || v_task.run_id;
                v_seqs := v_seqs || v_task.seq;
                v_most := v_most - 1;
                stopped := stopped OR v_most = 0;
                EXIT WHEN v_most = 0;
            ELSE
                runs := runs || v_task.run_id;
                seqs := seqs || v_task.seq;
                v_room := v_room - 1;
            END IF;
        END LOOP;
        CLOSE v_first;
    END LOOP;
    IF cardinality(v_runs) > 0 THEN
        -- Without a task that can be held now the next claim would do no better.
        stopped := {schema}.hold_tasks(v_runs, v_seqs) > 0 AND stopped;
    END IF;
END
$$;

-- The numbers of pauses that are no more and still hold tasks.
CREATE OR REPLACE FUNCTION {schema}.ended_holds() RETURNS integer[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
BEGIN
    RETURN ARRAY(
        WITH RECURSIVE holds (number) AS (
            (SELECT t.held_by FROM {schema}.tasks t WHERE t.held_by > 0 ORDER BY t.held_by LIMIT 1)
            UNION ALL
            SELECT (SELECT t.held_by FROM {schema}.tasks t WHERE t.held_by > h.number ORDER BY t.held_by LIMIT 1)
            FROM holds h WHERE h.number IS NOT NULL
        )
        SELECT h.number FROM holds h
        WHERE h.number IS NOT NULL AND NOT EXISTS (SELECT FROM {schema}.pauses p WHERE p.number = h.number));
END
$$;

-- Let tasks of such pauses go, the first of each; those that are locked next time.
CREATE OR REPLACE FUNCTION {schema}.free_held_tasks() RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_number integer;
    v_freed integer;
BEGIN
    FOREACH v_number IN ARRAY {schema}.ended_holds() LOOP
        WITH first AS MATERIALIZED (
            SELECT t.run_id, t.seq FROM {schema}.tasks t WHERE t.held_by = v_number
            ORDER BY t.priority DESC, t.due_at LIMIT {limit.held_tasks} FOR UPDATE SKIP LOCKED
        )
        UPDATE {schema}.tasks t SET held_by = NULL FROM first f WHERE t.run_id = f.run_id AND t.seq = f.seq;
        GET DIAGNOSTICS v_freed = ROW_COUNT;
        IF v_freed = {limit.held_tasks} THEN
            PERFORM {schema}.notify('tasks', '{}');
        END IF;
    END LOOP;
END
$$;
