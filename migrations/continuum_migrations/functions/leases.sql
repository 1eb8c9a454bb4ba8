-- Take a worker's lease away. The delete waits for the worker's commit in flight; every later commit finds no row.
-- Its running runs are due at once; suspended ones keep their due time. The time of its tasks ends with the process:
-- p_dead_for seconds ago, or at the last renewal of the lease if that is NULL, because nobody saw it die. p_manner says how
-- the process ended, NULL if nobody knows.
CREATE OR REPLACE FUNCTION {schema}.end_dead_worker(
    p_worker bigint, p_executing uuid, p_poison_after integer, p_only_expired boolean, p_dead_for double precision,
    p_manner text
) RETURNS TABLE (runs integer, tasks integer)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_node text;
    v_died_at timestamptz;
    v_mailed uuid[];
    v_runs integer;
    v_tasks integer;
BEGIN
    DELETE FROM {schema}.workers w WHERE w.id = p_worker AND (NOT p_only_expired OR w.expires_at <= clock_timestamp())
    RETURNING w.node, coalesce(clock_timestamp() - p_dead_for * interval '1 second', w.renewed_at)
    INTO v_node, v_died_at;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 0, 0;
        RETURN;
    END IF;
    PERFORM FROM (
        SELECT o.id FROM {schema}.runs o WHERE o.owner = p_worker
        UNION SELECT t.run_id FROM {schema}.tasks t WHERE t.owner = p_worker
        -- It gets the end of its child, if that is blocked without a history and was asked to stop.
        UNION SELECT c.parent_id FROM {schema}.runs c WHERE c.id = p_executing
    ) held JOIN {schema}.runs r ON r.id = held.id
    ORDER BY r.depth, r.id FOR NO KEY UPDATE OF r;
    UPDATE {schema}.runs r
    SET owner = NULL,
        deaths = r.deaths + CASE WHEN r.id = p_executing THEN 1 ELSE 0 END,
        state = CASE WHEN r.id = p_executing AND r.deaths + 1 >= p_poison_after THEN {state.blocked} ELSE r.state END,
        due_at = CASE WHEN r.id = p_executing AND r.deaths + 1 >= p_poison_after THEN NULL
                      WHEN r.state = {state.running} OR EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id)
                      THEN clock_timestamp() ELSE r.due_at END,
        asleep = r.state = {state.suspended} AND coalesce(r.due_at > clock_timestamp(), false)
                 AND NOT EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id),
        reason = CASE WHEN r.id = p_executing AND r.deaths + 1 >= p_poison_after
                      THEN 'poison: its process died ' || (r.deaths + 1) || ' times while executing it'
                           || coalesce('; the last time ' || p_manner, '') ELSE r.reason END,
        fault = CASE WHEN r.id = p_executing AND r.deaths + 1 >= p_poison_after
                     THEN '{"kind": "poison"}' ELSE r.fault END,
        updated_at = clock_timestamp()
    WHERE r.owner = p_worker AND r.state {is_active};
    GET DIAGNOSTICS v_runs = ROW_COUNT;
    IF p_executing IS NOT NULL THEN
        PERFORM {schema}.end_stopped(ARRAY[p_executing]);
    END IF;
    WITH gone AS (
        DELETE FROM {schema}.tasks t WHERE t.owner = p_worker
        RETURNING t.run_id, t.seq, t.dispatch,
                  CASE WHEN t.timeout > 0 AND t.timeout < {limit.retention_seconds}
                       THEN v_died_at >= t.claimed_at + t.timeout * interval '1 second' ELSE false END AS overdue
    ), mailed AS (
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT g.run_id, CASE WHEN g.overdue THEN {kind.activity_timed_out} ELSE {kind.activity_interrupted} END,
               g.seq::text, g.dispatch::text, ''
        FROM gone g ORDER BY g.run_id, g.seq
        ON CONFLICT DO NOTHING RETURNING inbox.run_id
    )
    SELECT count(*), coalesce(array_agg(m.run_id), '{}') INTO v_tasks, v_mailed FROM mailed m;
    IF v_tasks > 0 THEN
        UPDATE {schema}.runs r SET due_at = clock_timestamp(), asleep = false
        WHERE r.id = ANY (v_mailed) AND r.owner IS NULL AND r.state {is_active};
        PERFORM {schema}.notify('wake', '{}');
    END IF;
    IF NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.node = v_node AND w.namespaces IS NULL) THEN
        -- The node is gone, or came back for fewer namespaces: any node may claim what it alone was to run.
        UPDATE {schema}.tasks t SET node = NULL WHERE t.node = v_node AND t.owner IS NULL AND NOT EXISTS (
            SELECT FROM {schema}.workers w WHERE w.node = v_node
            AND (SELECT r.namespace FROM {schema}.runs r WHERE r.id = t.run_id) = ANY (w.namespaces));
        IF FOUND THEN
            PERFORM {schema}.notify('tasks', '{}');
        END IF;
    END IF;
    -- Also when it left nothing: runs that it released in time may be due before others look.
    PERFORM {schema}.notify('work', '{}');
    RETURN QUERY SELECT v_runs, v_tasks;
END
$$;

-- For who does not know how the process died, like nodes of earlier releases.
CREATE OR REPLACE FUNCTION {schema}.end_worker(
    p_worker bigint, p_executing uuid, p_poison_after integer, p_only_expired boolean, p_dead_for double precision
) RETURNS TABLE (runs integer, tasks integer)
LANGUAGE sql AS $$
    SELECT * FROM {schema}.end_dead_worker(p_worker, p_executing, p_poison_after, p_only_expired, p_dead_for, NULL)
$$;

-- For nodes of earlier releases, which do not say when the process died.
CREATE OR REPLACE FUNCTION {schema}.retire_worker(
    p_worker bigint, p_executing uuid, p_poison_after integer, p_only_expired boolean
) RETURNS TABLE (runs integer, tasks integer)
LANGUAGE sql AS $$
    SELECT * FROM {schema}.end_worker(p_worker, p_executing, p_poison_after, p_only_expired,
                                      CASE WHEN NOT p_only_expired THEN 0.0 END)
$$;

-- Report to runs which of their activities an orderly stop of this worker interrupts: its tasks, and those that run in
-- its process, as far as it still owns their runs. Called by the process itself, so that its time ends now, and before the
-- worker retires, which knows its tasks only.
CREATE OR REPLACE FUNCTION {schema}.interrupt_activities(
    p_worker bigint, p_run uuid[], p_seq integer[], p_dispatch integer[]
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_mailed uuid[];
BEGIN
    PERFORM FROM {schema}.workers w WHERE w.id = p_worker FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM FROM (
        SELECT unnest(p_run) AS id
        UNION SELECT t.run_id FROM {schema}.tasks t WHERE t.owner = p_worker
    ) held JOIN {schema}.runs r ON r.id = held.id
    ORDER BY r.depth, r.id FOR NO KEY UPDATE OF r;
    WITH gone AS (
        DELETE FROM {schema}.tasks t WHERE t.owner = p_worker
        RETURNING t.run_id, t.seq, t.dispatch,
                  CASE WHEN t.timeout > 0 AND t.timeout < {limit.retention_seconds}
                       THEN clock_timestamp() >= t.claimed_at + t.timeout * interval '1 second' ELSE false END AS overdue
    ), interrupted AS (
        SELECT g.run_id, g.seq, g.dispatch, g.overdue FROM gone g
        JOIN {schema}.runs r ON r.id = g.run_id AND r.state {is_open}
        UNION ALL
        SELECT l.run_id, l.seq, l.dispatch, false FROM unnest(p_run, p_seq, p_dispatch) AS l (run_id, seq, dispatch)
        JOIN {schema}.runs r ON r.id = l.run_id AND r.owner = p_worker AND r.state {is_active}
    ), mailed AS (
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT i.run_id, CASE WHEN i.overdue THEN {kind.activity_timed_out} ELSE {kind.activity_interrupted} END,
               i.seq::text, i.dispatch::text, ''
        FROM interrupted i ORDER BY i.run_id, i.seq
        ON CONFLICT DO NOTHING RETURNING inbox.run_id
    )
    SELECT array_agg(DISTINCT m.run_id) INTO v_mailed FROM mailed m;
    IF v_mailed IS NOT NULL THEN
        PERFORM {schema}.wake_runs(v_mailed);
    END IF;
END
$$;
