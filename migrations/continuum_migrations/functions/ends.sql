-- Put a cancel request into the inboxes of runs that are locked. A blocked run keeps it until it is unblocked, and its code
-- compensates then. One without a history has nothing to compensate and no children, and ends at once: these are
-- returned, and the caller calls after_end for them.
CREATE OR REPLACE FUNCTION {schema}.request_cancel(p_runs uuid[], p_name text) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_ended uuid[];
    v_mailed uuid[];
BEGIN
    IF cardinality(p_runs) = 0 THEN
        RETURN p_runs;
    END IF;
    PERFORM {schema}.lift_pauses(p_runs);
    WITH ended AS (
        UPDATE {schema}.runs r
        SET state = {state.cancelled}, due_at = NULL,
            reason = CASE WHEN p_name = 'parent' THEN 'parent_cancelled' END, fault = NULL,
            updated_at = clock_timestamp(), completed_at = clock_timestamp(),
            retain_until = {schema}.retained_from_now(r.workflow, r.version)
        WHERE r.id = ANY (p_runs) AND r.state = {state.blocked}
          AND NOT EXISTS (SELECT FROM {schema}.events e WHERE e.run_id = r.id)
        RETURNING r.id
    )
    SELECT coalesce(array_agg(e.id), '{}') INTO v_ended FROM ended e;
    IF cardinality(v_ended) > 0 THEN
        DELETE FROM {schema}.tasks t WHERE t.run_id = ANY (v_ended);
        PERFORM {schema}.notify('done', v_ended::text[]);
    END IF;
    WITH mailed AS (
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT r.id, {kind.cancel}, p_name, 'cancel', '' FROM {schema}.runs r
        WHERE r.id = ANY (p_runs) AND r.state {is_open} ORDER BY r.id
        ON CONFLICT DO NOTHING RETURNING run_id
    )
    SELECT array_agg(m.run_id) INTO v_mailed FROM mailed m;
    IF v_mailed IS NOT NULL THEN
        PERFORM {schema}.wake_runs(v_mailed);
    END IF;
    RETURN v_ended;
END
$$;

-- Here and in families.sql runs are read by LATERAL subqueries with OFFSET 0, each of which uses one index: as a join,
-- a plan that a session made while there were few children pairs all that ended with all children there are.

-- Lock the open children that end with runs that have ended: with force all except the abandoned, else as their close
-- policies say. The children of a run that continued as new belong to its successor.
CREATE OR REPLACE FUNCTION {schema}.lock_children(p_ended uuid[], p_force boolean) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_locked uuid[] := '{}';
    v_more uuid[];
BEGIN
    LOOP
        -- Repeat until none is left: a child may continue as new while this waits for its lock.
        v_more := ARRAY(
            SELECT c.id FROM unnest(p_ended) AS e (id)
            CROSS JOIN LATERAL (
                SELECT x.id, x.state FROM {schema}.runs x
                WHERE x.id = e.id AND x.has_children AND x.continued_to IS NULL OFFSET 0
            ) p
            CROSS JOIN LATERAL (
                SELECT x.id, x.state, x.close_policy FROM {schema}.runs x WHERE x.parent_id = p.id OFFSET 0
            ) c
            WHERE c.state {is_open} AND CASE
                WHEN p_force THEN c.close_policy <> {close_policy.abandon}
                ELSE c.close_policy = {close_policy.cancel}
                     OR (c.close_policy = {close_policy.cascade} AND p.state = {state.cancelled}) END
            EXCEPT SELECT l.id FROM unnest(v_locked) AS l (id));
        EXIT WHEN cardinality(v_more) = 0;
        PERFORM FROM {schema}.runs c WHERE c.id = ANY (v_more) ORDER BY c.depth, c.id FOR NO KEY UPDATE;
        v_locked := v_locked || v_more;
    END LOOP;
    RETURN v_locked;
END
$$;

-- Do what follows from the end of runs, once their rows say it: put the ends into the inboxes of their parents, and
-- request the cancel of their children as the close policies say.
CREATE OR REPLACE FUNCTION {schema}.after_end(p_ended uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_ended uuid[] := p_ended;
    v_mailed uuid[];
BEGIN
    WHILE cardinality(v_ended) > 0 LOOP
        WITH mailed AS (
            -- An empty body reads as ().
            INSERT INTO {schema}.inbox (run_id, kind, name, payload)
            SELECT r.parent_id,
                   CASE r.state WHEN {state.completed} THEN {kind.child_completed}
                                WHEN {state.failed} THEN {kind.child_failed}
                                WHEN {state.cancelled} THEN {kind.child_cancelled} END,
                   r.parent_seq::text,
                   coalesce(CASE r.state WHEN {state.completed} THEN r.result WHEN {state.failed} THEN r.error END, '')
            FROM unnest(v_ended) AS e (id)
            CROSS JOIN LATERAL (SELECT x.* FROM {schema}.runs x WHERE x.id = e.id OFFSET 0) r
            CROSS JOIN LATERAL (SELECT x.state FROM {schema}.runs x WHERE x.id = r.parent_id OFFSET 0) p
            WHERE r.parent_seq IS NOT NULL AND r.continued_to IS NULL AND p.state {is_open}
            RETURNING run_id
        )
        SELECT array_agg(DISTINCT m.run_id) INTO v_mailed FROM mailed m;
        IF v_mailed IS NOT NULL THEN
            PERFORM {schema}.wake_runs(v_mailed);
        END IF;

        v_ended := {schema}.request_cancel({schema}.lock_children(v_ended, false), 'parent');
    END LOOP;
END
$$;

-- End those of these locked runs that are blocked, have no history and were asked to stop, as request_cancel does.
-- Called whenever runs may have become blocked, in the same transaction.
CREATE OR REPLACE FUNCTION {schema}.end_stopped(p_runs uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_by_parent boolean;
BEGIN
    FOREACH v_by_parent IN ARRAY ARRAY[false, true] LOOP
        PERFORM {schema}.after_end({schema}.request_cancel(ARRAY(
            SELECT r.id FROM {schema}.runs r
            WHERE r.id = ANY (p_runs) AND r.state = {state.blocked}
              AND NOT EXISTS (SELECT FROM {schema}.events e WHERE e.run_id = r.id) AND v_by_parent = (
                SELECT i.name = 'parent' FROM {schema}.inbox i
                WHERE i.run_id = r.id AND i.kind = {kind.cancel} ORDER BY i.id LIMIT 1)
        ), CASE WHEN v_by_parent THEN 'parent' ELSE '' END));
    END LOOP;
END
$$;

-- End the latest run of a chain, and its descendants except the abandoned, generation by generation. Return what
-- became of the request. An open run that is not the one that was seen, or has changed since p_seen_at (microseconds),
-- stays as it is; NULL if nobody has seen it.
CREATE OR REPLACE FUNCTION {schema}.force_cancel(p_run uuid, p_seen uuid, p_seen_at bigint) RETURNS smallint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_run uuid := {schema}.latest_of_chain(p_run);
    v_next uuid;
    v_state smallint;
    v_updated timestamptz;
    v_ending uuid[];
    v_ended uuid[] := '{}';
BEGIN
    LOOP
        PERFORM FROM {schema}.runs p WHERE p.id = (SELECT r.parent_id FROM {schema}.runs r WHERE r.id = v_run)
        FOR NO KEY UPDATE;
        SELECT r.state, r.continued_to, r.updated_at INTO v_state, v_next, v_updated
        FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE;
        EXIT WHEN v_next IS NULL;
        v_run := {schema}.latest_of_chain(v_run);
    END LOOP;
    IF v_state IS NULL THEN
        RETURN {posted.not_found};
    ELSIF v_state {is_terminal} THEN
        RETURN {posted.terminal};
    ELSIF v_run <> p_seen
          OR (extract(epoch FROM CASE WHEN isfinite(v_updated) THEN v_updated END) * 1000000)::bigint <> p_seen_at THEN
        RETURN {posted.stale};
    END IF;
    v_ending := ARRAY[v_run];
    WHILE cardinality(v_ending) > 0 LOOP
        UPDATE {schema}.runs r
        SET state = {state.cancelled}, owner = NULL, due_at = NULL, token = nextval('{schema}.fencing_token'),
            reason = CASE WHEN r.id <> v_run THEN 'parent_cancelled' END, fault = NULL,
            updated_at = clock_timestamp(), completed_at = clock_timestamp(),
            retain_until = {schema}.retained_from_now(r.workflow, r.version)
        WHERE r.id = ANY (v_ending) AND r.state {is_open};
        v_ended := v_ended || v_ending;
        v_ending := {schema}.lock_children(v_ending, true);
    END LOOP;
    DELETE FROM {schema}.tasks t WHERE t.run_id = ANY (v_ended);
    PERFORM {schema}.after_end(ARRAY[v_run]);
    PERFORM {schema}.notify('done', v_ended::text[]);
    -- The hosts that own them have lost them. Every id must be sent, because no host can look for what it lost.
    PERFORM {schema}.notify_each('lost', v_ended::text[]);
    RETURN {posted.accepted};
END
$$;

-- The same for callers of earlier code.
CREATE OR REPLACE FUNCTION {schema}.force_cancel(p_run uuid) RETURNS smallint
LANGUAGE sql AS $$
    SELECT {schema}.force_cancel(p_run, NULL, NULL)
$$;
