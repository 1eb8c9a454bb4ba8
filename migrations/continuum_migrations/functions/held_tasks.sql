-- Held tasks: claims put tasks of paused runs aside, so that many of them do not slow the others of their queue. A claim holds
-- what it would pass over anyway, so nothing depends on how many are held. Where a run is resumed or its pauses are lifted, its
-- tasks are freed under the lock of the run. Those held by the number of a pause that has ended are freed by claims.

-- Hold those of the first p_most due tasks of a queue whose runs are paused, and return how many. What is locked is left for
-- another time: so this waits for nobody, whatever it has locked. Neither a run nor a pause that it has seen ends meanwhile.
CREATE OR REPLACE FUNCTION {schema}.hold_first_tasks(p_isolated boolean, p_queue text, p_most integer) RETURNS integer
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
    WITH first AS MATERIALIZED (
        SELECT t.run_id, t.seq FROM {schema}.tasks t
        WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = p_isolated AND t.queue = p_queue AND t.due_at <= now()
        ORDER BY t.priority DESC, t.due_at LIMIT p_most
    ), locked AS MATERIALIZED (
        SELECT t.run_id, t.seq FROM first f
        JOIN {schema}.tasks t ON t.run_id = f.run_id AND t.seq = f.seq
        JOIN {schema}.runs r ON r.id = t.run_id
        WHERE t.owner IS NULL AND (r.paused_at IS NOT NULL OR EXISTS (
            SELECT FROM {schema}.pauses p
            WHERE (p.kind = 'workflow' AND p.name = r.workflow AND p.namespace IN ('', r.namespace)
                   OR p.kind = 'namespace' AND p.name = r.namespace)
              AND (r.pause_lifted_at IS NULL OR p.since > r.pause_lifted_at)))
        FOR SHARE OF r SKIP LOCKED FOR UPDATE OF t SKIP LOCKED
    )
    SELECT array_agg(l.run_id), array_agg(l.seq) INTO v_runs, v_seqs FROM locked l;
    IF v_runs IS NULL THEN
        RETURN 0;
    END IF;
    v_pauses := ARRAY(SELECT p.number FROM {schema}.pauses p WHERE p.kind <> 'queue' FOR KEY SHARE SKIP LOCKED);
    -- Now that they are locked: what the first look saw may have changed before.
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

-- Hold tasks of paused runs that are in front of a queue, as long as most are: {limit.held_tasks} in a call, or somewhat more.
CREATE OR REPLACE FUNCTION {schema}.hold_tasks(p_isolated boolean) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    v_queue text := (SELECT t.queue FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = p_isolated
                     ORDER BY t.queue LIMIT 1);
    v_most integer;
    v_held integer;
    v_all integer := 0;
BEGIN
    WHILE v_queue IS NOT NULL LOOP
        v_most := {limit.first_tasks};
        LOOP
            v_held := {schema}.hold_first_tasks(p_isolated, v_queue, v_most);
            v_all := v_all + v_held;
            EXIT WHEN v_held < v_most / 2 OR v_all >= {limit.held_tasks};
            v_most := 1000;
        END LOOP;
        EXIT WHEN v_all >= {limit.held_tasks};
        v_queue := (SELECT t.queue FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = p_isolated
                    AND t.queue > v_queue ORDER BY t.queue LIMIT 1);
    END LOOP;
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
