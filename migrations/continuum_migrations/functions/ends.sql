-- Put a cancel request into the inboxes of runs that are locked. A blocked one ends at once, for its code cannot
-- run; those are returned, and whoever asks concludes them.
CREATE OR REPLACE FUNCTION {schema}.ask_to_stop(
    p_runs uuid[], p_name text, p_done_topic text, p_work_topic text, p_wake_topic text
) RETURNS uuid[]
LANGUAGE plpgsql AS $$
DECLARE
    v_ended uuid[];
    v_mailed uuid[];
BEGIN
    WITH ended AS (
        UPDATE {schema}.runs r
        SET state = 6, due_at = NULL, reason = CASE WHEN p_name = 'parent' THEN 'parent_cancelled' END, fault = NULL,
            updated_at = clock_timestamp(), completed_at = clock_timestamp(),
            retain_until = {schema}.retained_from_now(r.workflow, r.version)
        WHERE r.id = ANY (p_runs) AND r.state = 3 RETURNING r.id
    )
    SELECT coalesce(array_agg(e.id), '{}') INTO v_ended FROM ended e;
    IF cardinality(v_ended) > 0 THEN
        DELETE FROM {schema}.tasks t WHERE t.run_id = ANY (v_ended);
        PERFORM {schema}.hint(p_done_topic, v_ended::text[]);
    END IF;
    WITH mailed AS (
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT r.id, 6, p_name, 'cancel', '' FROM {schema}.runs r
        WHERE r.id = ANY (p_runs) AND r.state <= 2 ORDER BY r.id
        ON CONFLICT DO NOTHING RETURNING run_id
    )
    SELECT array_agg(m.run_id) INTO v_mailed FROM mailed m;
    IF v_mailed IS NOT NULL THEN
        PERFORM {schema}.rouse(v_mailed, p_work_topic, p_wake_topic);
    END IF;
    RETURN v_ended;
END
$$;

-- Lock the live children that go with runs that have ended: all but the abandoned by force, else as their close
-- policies say. The children of one that continued as new are its successor's.
CREATE OR REPLACE FUNCTION {schema}.lock_children(p_ended uuid[], p_force boolean) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_locked uuid[] := '{}';
    v_more uuid[];
BEGIN
    LOOP
        -- Again until there are no more: one may continue as new while we wait for its lock.
        v_more := ARRAY(
            SELECT c.id FROM unnest(p_ended) AS e (id)
            JOIN {schema}.runs p ON p.id = e.id AND p.has_children AND p.continued_to IS NULL
            JOIN {schema}.runs c ON c.parent_id = p.id AND c.state <= 3 AND CASE
                WHEN p_force THEN c.close_policy < 3
                ELSE c.close_policy = 2 OR (c.close_policy = 1 AND p.state = 6) END
            EXCEPT SELECT l.id FROM unnest(v_locked) AS l (id));
        EXIT WHEN cardinality(v_more) = 0;
        PERFORM FROM {schema}.runs c WHERE c.id = ANY (v_more) ORDER BY c.depth, c.id FOR NO KEY UPDATE;
        v_locked := v_locked || v_more;
    END LOOP;
    RETURN v_locked;
END
$$;

-- What follows from the end of runs, once their rows say it: their parents hear of it, and their children are asked
-- to stop as their close policies say.
CREATE OR REPLACE FUNCTION {schema}.conclude(p_ended uuid[], p_done_topic text, p_work_topic text, p_wake_topic text)
RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_ended uuid[] := p_ended;
    v_mailed uuid[];
BEGIN
    WHILE cardinality(v_ended) > 0 LOOP
        WITH mailed AS (
            -- 7 completed, 8 failed, 9 cancelled; a body that is missing reads as ().
            INSERT INTO {schema}.inbox (run_id, kind, name, payload)
            SELECT r.parent_id, r.state + 3, r.parent_seq::text,
                   coalesce(CASE r.state WHEN 4 THEN r.result WHEN 5 THEN r.error END, '')
            FROM unnest(v_ended) AS e (id)
            JOIN {schema}.runs r ON r.id = e.id AND r.parent_seq IS NOT NULL AND r.continued_to IS NULL
            JOIN {schema}.runs p ON p.id = r.parent_id AND p.state <= 3
            RETURNING run_id
        )
        SELECT array_agg(DISTINCT m.run_id) INTO v_mailed FROM mailed m;
        IF v_mailed IS NOT NULL THEN
            PERFORM {schema}.rouse(v_mailed, p_work_topic, p_wake_topic);
        END IF;

        v_ended := {schema}.ask_to_stop(
            {schema}.lock_children(v_ended, false), 'parent', p_done_topic, p_work_topic, p_wake_topic);
    END LOOP;
END
$$;

-- End the run that a chain has come to, and its descendants but the abandoned, generation by generation.
-- 1 accepted, 3 not found, 4 terminal.
CREATE OR REPLACE FUNCTION {schema}.force_cancel(
    p_run uuid, p_done_topic text, p_work_topic text, p_wake_topic text
) RETURNS smallint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_run uuid := {schema}.tip(p_run);
    v_next uuid;
    v_state smallint;
    v_ending uuid[];
    v_ended uuid[] := '{}';
BEGIN
    LOOP
        PERFORM FROM {schema}.runs p WHERE p.id = (SELECT r.parent_id FROM {schema}.runs r WHERE r.id = v_run)
        FOR NO KEY UPDATE;
        SELECT r.state, r.continued_to INTO v_state, v_next FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE;
        EXIT WHEN v_next IS NULL;
        v_run := {schema}.tip(v_run);
    END LOOP;
    IF v_state IS NULL THEN
        RETURN 3;
    ELSIF v_state >= 4 THEN
        RETURN 4;
    END IF;
    v_ending := ARRAY[v_run];
    WHILE cardinality(v_ending) > 0 LOOP
        UPDATE {schema}.runs r
        SET state = 6, owner = NULL, due_at = NULL, token = nextval('{schema}.fencing_token'),
            reason = CASE WHEN r.id <> v_run THEN 'parent_cancelled' END, fault = NULL,
            updated_at = clock_timestamp(), completed_at = clock_timestamp(),
            retain_until = {schema}.retained_from_now(r.workflow, r.version)
        WHERE r.id = ANY (v_ending) AND r.state <= 3;
        v_ended := v_ended || v_ending;
        v_ending := {schema}.lock_children(v_ending, true);
    END LOOP;
    DELETE FROM {schema}.tasks t WHERE t.run_id = ANY (v_ended);
    PERFORM {schema}.conclude(ARRAY[v_run], p_done_topic, p_work_topic, p_wake_topic);
    PERFORM {schema}.hint(p_done_topic, v_ended::text[]);
    -- The mark tells a host that the run is no longer its own, where a plain id means mail; so every id is told.
    FOR i IN 0 .. (cardinality(v_ended) - 1) / 190 LOOP
        PERFORM {schema}.hint(p_wake_topic, ARRAY(
            SELECT '!' || e.id FROM unnest(v_ended[i * 190 + 1 : i * 190 + 190]) AS e (id)));
    END LOOP;
    RETURN 1;
END
$$;
