-- Changes of many runs. An action is a function `operate_NAME` that changes the runs it is given, once each, and returns the
-- outcome of each as the record has it. All take the arguments and the payload of their operation; the arguments say `by` whom and
-- for which `reason` it is.

-- Ask runs to stop.
CREATE OR REPLACE FUNCTION {schema}.operate_cancel(p_runs uuid[], p_arguments jsonb, p_payload bytea) RETURNS text[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_number integer := cardinality(p_runs);
    v_open uuid[];
    v_asked uuid[];
BEGIN
    -- In the common order of locks; before a run that ends here comes the parent that gets its end.
    PERFORM FROM {schema}.runs r
    WHERE r.id = ANY (p_runs || ARRAY(SELECT x.parent_id FROM {schema}.runs x WHERE x.id = ANY (p_runs) AND x.parent_id IS NOT NULL))
    ORDER BY r.depth, r.id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM {schema}.runs r WHERE r.id = ANY (p_runs) AND r.continued_to IS NOT NULL) THEN
        -- It has continued as new since it was chosen: this follows it to the latest run of its chain.
        RETURN (
            SELECT array_agg({schema}.outcome_of_post(p.posted) ORDER BY p.place)
            FROM unnest({schema}.post_attempts(
                p_runs, array_fill({kind.cancel}::smallint, ARRAY[v_number]), array_fill('cancel'::text, ARRAY[v_number]),
                array_fill('cancel'::text, ARRAY[v_number]), array_fill(p_payload, ARRAY[v_number]),
                array_fill(0::smallint, ARRAY[v_number])
            )) WITH ORDINALITY AS p (posted, place));
    END IF;
    v_open := ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.id = ANY (p_runs) AND r.state {is_open});
    v_asked := ARRAY(SELECT i.run_id FROM {schema}.inbox i
                     WHERE i.run_id = ANY (v_open) AND i.kind = {kind.cancel} AND i.key = 'cancel' AND i.name = 'cancel'
                       -- One that was paused since continues.
                       AND NOT {schema}.is_paused(i.run_id));
    PERFORM {schema}.after_end({schema}.request_cancel(v_open, 'cancel'));
    RETURN ARRAY(
        SELECT CASE WHEN u.id = ANY (v_asked) THEN 'already' WHEN u.id = ANY (v_open) THEN 'done'
                    WHEN r.id IS NULL THEN 'not_found' ELSE 'refused' END
        FROM unnest(p_runs) WITH ORDINALITY AS u (id, place)
        LEFT JOIN LATERAL (SELECT x.id FROM {schema}.runs x WHERE x.id = u.id OFFSET 0) r ON true
        ORDER BY u.place);
END
$$;

-- Send a signal to runs; one whose version declares its signals, and not this one, gets none.
CREATE OR REPLACE FUNCTION {schema}.operate_signal(p_runs uuid[], p_arguments jsonb, p_payload bytea) RETURNS text[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_name text := p_arguments ->> 'signal';
    v_takers uuid[] := ARRAY(
        SELECT r.id FROM {schema}.runs r
        WHERE r.id = ANY (p_runs) AND {schema}.declares_signal(r.workflow, r.version, v_name));
    v_number integer := cardinality(v_takers);
    v_posted smallint[] := '{}';
BEGIN
    IF v_number > 0 THEN
        v_posted := {schema}.post_attempts(
            v_takers, array_fill({kind.signal}::smallint, ARRAY[v_number]), array_fill(v_name, ARRAY[v_number]),
            array_fill(NULL::text, ARRAY[v_number]), array_fill(p_payload, ARRAY[v_number]),
            array_fill(0::smallint, ARRAY[v_number]));
    END IF;
    RETURN ARRAY(
        SELECT coalesce({schema}.outcome_of_post(v_posted[array_position(v_takers, u.id)]), 'refused')
        FROM unnest(p_runs) WITH ORDINALITY AS u (id, place) ORDER BY u.place);
END
$$;

-- Let nodes try blocked runs again.
CREATE OR REPLACE FUNCTION {schema}.operate_unblock(p_runs uuid[], p_arguments jsonb, p_payload bytea) RETURNS text[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_blocked uuid[];
BEGIN
    v_blocked := ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.id = ANY (p_runs) AND r.state = {state.blocked}
                       ORDER BY r.depth, r.id FOR NO KEY UPDATE);
    PERFORM {schema}.unblock(ARRAY(SELECT DISTINCT r.workflow FROM {schema}.runs r WHERE r.id = ANY (v_blocked)),
                             v_blocked, NULL, NULL);
    RETURN ARRAY(SELECT CASE WHEN u.id = ANY (v_blocked) THEN 'done' ELSE 'already' END
                 FROM unnest(p_runs) WITH ORDINALITY AS u (id, place) ORDER BY u.place);
END
$$;

-- Lock the latest runs of the chains of these, in the common order of locks, and return them in the order given.
CREATE OR REPLACE FUNCTION {schema}.lock_latest_runs(p_runs uuid[]) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_latest uuid[] := p_runs;
BEGIN
    LOOP
        PERFORM FROM {schema}.runs r WHERE r.id = ANY (v_latest) ORDER BY r.depth, r.id FOR NO KEY UPDATE;
        EXIT WHEN NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = ANY (v_latest) AND r.continued_to IS NOT NULL);
        v_latest := ARRAY(SELECT {schema}.latest_of_chain(u.id) FROM unnest(v_latest) WITH ORDINALITY AS u (id, place)
                          ORDER BY u.place);
    END LOOP;
    RETURN v_latest;
END
$$;

-- What becomes of runs of which those in p_changed are changed, and the other open ones are so already.
CREATE OR REPLACE FUNCTION {schema}.outcomes_of_pauses(p_runs uuid[], p_changed uuid[]) RETURNS text[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN ARRAY(
        SELECT CASE WHEN u.id = ANY (p_changed) THEN 'done' WHEN r.id IS NULL THEN 'not_found'
                    WHEN r.state {is_open} THEN 'already' ELSE 'refused' END
        FROM unnest(p_runs) WITH ORDINALITY AS u (id, place)
        LEFT JOIN LATERAL (SELECT x.id, x.state FROM {schema}.runs x WHERE x.id = u.id OFFSET 0) r ON true
        ORDER BY u.place);
END
$$;

-- Pause runs, each by itself.
CREATE OR REPLACE FUNCTION {schema}.operate_pause(p_runs uuid[], p_arguments jsonb, p_payload bytea) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    v_latest uuid[] := {schema}.lock_latest_runs(p_runs);
BEGIN
    RETURN {schema}.outcomes_of_pauses(
        v_latest, {schema}.pause_runs(v_latest, p_arguments ->> 'by', p_arguments ->> 'reason'));
END
$$;

-- Let runs continue that are paused by themselves.
CREATE OR REPLACE FUNCTION {schema}.operate_resume(p_runs uuid[], p_arguments jsonb, p_payload bytea) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    v_latest uuid[] := {schema}.lock_latest_runs(p_runs);
BEGIN
    RETURN {schema}.outcomes_of_pauses(v_latest, {schema}.resume_runs(v_latest));
END
$$;

-- Merge attributes into those of runs.
CREATE OR REPLACE FUNCTION {schema}.operate_attributes(p_runs uuid[], p_arguments jsonb, p_payload bytea) RETURNS text[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_latest uuid[] := {schema}.lock_latest_runs(p_runs);
    v_marked uuid[];
BEGIN
    WITH marked AS (
        UPDATE {schema}.runs r SET attributes = r.attributes || (p_arguments -> 'attributes'), updated_at = clock_timestamp()
        WHERE r.id = ANY (v_latest) RETURNING r.id
    )
    SELECT coalesce(array_agg(m.id), '{}') INTO v_marked FROM marked m;
    RETURN ARRAY(SELECT CASE WHEN u.id = ANY (v_marked) THEN 'done' ELSE 'not_found' END
                 FROM unnest(v_latest) WITH ORDINALITY AS u (id, place) ORDER BY u.place);
END
$$;

-- Remove ended runs with everything that belongs to them.
CREATE OR REPLACE FUNCTION {schema}.operate_delete(p_runs uuid[], p_arguments jsonb, p_payload bytea) RETURNS text[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_known uuid[] := ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.id = ANY (p_runs));
    v_removed uuid[] := {schema}.remove_ended(p_runs);
BEGIN
    RETURN ARRAY(SELECT CASE WHEN u.id = ANY (v_removed) THEN 'done' WHEN u.id = ANY (v_known) THEN 'refused' ELSE 'not_found' END
                 FROM unnest(p_runs) WITH ORDINALITY AS u (id, place) ORDER BY u.place);
END
$$;

-- Record what an operation has done to runs that it passes, and the place that it has reached. The caller holds its row.
CREATE OR REPLACE FUNCTION {schema}.pass_runs(
    p_operation uuid, p_runs uuid[], p_outcomes text[], p_facts jsonb, p_reached uuid, p_ends boolean, p_ttl double precision
) RETURNS TABLE (state text, done bigint, skipped bigint, failed bigint, looked bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    -- NULL if all were changed.
    v_whys text[];
BEGIN
    IF EXISTS (SELECT FROM unnest(p_outcomes) AS x (outcome) WHERE x.outcome <> 'done') THEN
        v_whys := CASE WHEN coalesce(p_facts ->> 'error', p_facts ->> 'why') IS NOT NULL
                       THEN array_fill(coalesce(p_facts ->> 'error', p_facts ->> 'why'), ARRAY[cardinality(p_runs)])
                       ELSE (SELECT {schema}.why_unchanged(o.action, o.arguments, p_runs)
                             FROM {schema}.operations o WHERE o.id = p_operation) END;
    END IF;
    -- A run is changed once, and so has one row, however often this is repeated.
    INSERT INTO {schema}.audit (id, at, actor, via, action, subject, arguments, reason, outcome)
    SELECT md5(p_operation::text || a.run::text)::uuid, clock_timestamp(), o.actor, o.via, o.arguments ->> 'recorded_as', a.run,
           jsonb_strip_nulls(
               jsonb_build_object('operation', p_operation, 'why', CASE WHEN a.outcome <> 'done' THEN a.why END) || p_facts),
           o.reason, a.outcome
    FROM {schema}.operations o CROSS JOIN unnest(p_runs, p_outcomes, v_whys) AS a (run, outcome, why) WHERE o.id = p_operation
    ON CONFLICT DO NOTHING;
    RETURN QUERY
        UPDATE {schema}.operations o
        SET reached = coalesce(p_reached, o.reached), state = CASE WHEN p_ends THEN 'completed' ELSE o.state END,
            done = o.done + c.done, skipped = o.skipped + c.skipped, failed = o.failed + c.failed,
            reasons = CASE WHEN v_whys IS NULL THEN o.reasons
                           ELSE {schema}.with_reasons(o.reasons, p_runs, p_outcomes, v_whys) END,
            leased_until = CASE WHEN p_ends THEN clock_timestamp() ELSE clock_timestamp() + p_ttl * interval '1 second' END,
            updated_at = clock_timestamp()
        FROM (SELECT count(*) FILTER (WHERE x.outcome = 'done') AS done,
                     count(*) FILTER (WHERE x.outcome NOT IN ('done', 'failed')) AS skipped,
                     count(*) FILTER (WHERE x.outcome = 'failed') AS failed FROM unnest(p_outcomes) AS x (outcome)) c
        WHERE o.id = p_operation
        RETURNING o.state, o.done, o.skipped, o.failed, cardinality(p_runs)::bigint;
END
$$;

-- Record what came of the cut of one run, which the operation passes; one that has changed since it was read is not passed.
CREATE OR REPLACE FUNCTION {schema}.pass_cut(
    p_operation uuid, p_run uuid, p_place uuid, p_posted smallint, p_facts jsonb, p_ttl double precision
) RETURNS TABLE (state text, done bigint, skipped bigint, failed bigint, looked bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    IF p_posted = {posted.stale} THEN
        RETURN QUERY SELECT * FROM {schema}.pass_runs(p_operation, '{}', '{}', '{}'::jsonb, NULL, false, p_ttl);
    ELSE
        RETURN QUERY SELECT * FROM {schema}.pass_runs(
            p_operation, ARRAY[p_run],
            ARRAY[CASE WHEN p_posted = {posted.duplicate} THEN 'done' ELSE {schema}.outcome_of_post(p_posted) END],
            p_facts, p_place, false, p_ttl);
    END IF;
END
$$;

-- Apply an operation to some runs, which it is about to pass, and record that with the place that it has reached. The caller
-- holds its row, under the token of its lease. With an error, a text, nothing is applied: the runs have failed.
CREATE OR REPLACE FUNCTION {schema}.operate(
    p_operation uuid, p_runs uuid[], p_reached uuid, p_ends boolean, p_ttl double precision, p_error text
) RETURNS TABLE (state text, done bigint, skipped bigint, failed bigint, looked bigint)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_operation {schema}.operations;
    v_outcomes text[] := '{}';
BEGIN
    SELECT * INTO v_operation FROM {schema}.operations o WHERE o.id = p_operation;
    IF p_error IS NOT NULL THEN
        v_outcomes := array_fill('failed'::text, ARRAY[cardinality(p_runs)]);
    ELSIF cardinality(p_runs) > 0 THEN
        EXECUTE format('SELECT {schema}.%I($1, $2, $3)', 'operate_' || v_operation.action) INTO v_outcomes
        USING p_runs, v_operation.arguments || jsonb_build_object('by', v_operation.actor, 'reason', v_operation.reason),
              v_operation.payload;
    END IF;
    RETURN QUERY SELECT * FROM {schema}.pass_runs(
        p_operation, p_runs, v_outcomes, jsonb_build_object('error', p_error), p_reached, p_ends, p_ttl);
END
$$;

-- Pause, continue or end an operation, and return what came of it.
CREATE OR REPLACE FUNCTION {schema}.change_operation(p_operation uuid, p_state text, p_audit jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_state text;
    v_outcome text;
BEGIN
    -- This waits for the part that is under way, which is the last one then.
    SELECT o.state INTO v_state FROM {schema}.operations o WHERE o.id = p_operation FOR UPDATE;
    v_outcome := CASE WHEN v_state IS NULL THEN 'not_found' WHEN v_state = p_state THEN 'already'
                      WHEN v_state IN ('cancelled', 'completed') THEN 'refused' ELSE 'done' END;
    IF v_outcome = 'done' THEN
        UPDATE {schema}.operations o SET state = p_state, updated_at = clock_timestamp() WHERE o.id = p_operation;
    END IF;
    PERFORM {schema}.record_change(p_audit, v_outcome);
    RETURN v_outcome;
END
$$;

-- Give an operation that nobody executes another rate, in runs a second, and return what came of it: a process reads the rate once.
CREATE OR REPLACE FUNCTION {schema}.set_operation_rate(p_operation uuid, p_rate double precision, p_audit jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_operation {schema}.operations;
    v_outcome text;
BEGIN
    SELECT * INTO v_operation FROM {schema}.operations o WHERE o.id = p_operation FOR UPDATE;
    v_outcome := CASE WHEN NOT FOUND THEN 'not_found'
                      WHEN v_operation.state IN ('cancelled', 'completed') OR v_operation.leased_until > clock_timestamp() THEN 'refused'
                      WHEN v_operation.rate = p_rate THEN 'already' ELSE 'done' END;
    IF v_outcome = 'done' THEN
        UPDATE {schema}.operations o SET rate = p_rate, updated_at = clock_timestamp() WHERE o.id = p_operation;
    END IF;
    PERFORM {schema}.record_change(p_audit, v_outcome);
    RETURN v_outcome;
END
$$;

-- Begin an operation, and record who does; false if it has been begun before.
CREATE OR REPLACE FUNCTION {schema}.begin_operation(
    p_id uuid, p_action text, p_arguments jsonb, p_payload bytea, p_search text, p_namespace text, p_until timestamptz,
    p_expected text, p_rate double precision, p_actor text, p_via text, p_reason text, p_audit jsonb
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_new boolean;
BEGIN
    INSERT INTO {schema}.operations (id, action, arguments, payload, search, namespace, until, expected, rate, actor, via, reason)
    VALUES (p_id, p_action, p_arguments, p_payload, p_search, p_namespace, p_until, p_expected, p_rate, p_actor, p_via, p_reason)
    ON CONFLICT DO NOTHING;
    v_new := FOUND;
    PERFORM {schema}.record_change(p_audit, CASE WHEN v_new THEN 'done' ELSE 'already' END);
    RETURN v_new;
END
$$;
