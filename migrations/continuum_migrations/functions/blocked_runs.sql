-- Make blocked runs of these workflows claimable again, and return how many: all of them, or those named; those of these
-- namespaces, or of all; with the digest of some code, those that other code has blocked and this may not. These keep their reason for the next
-- attempt, which finds out whether this code continues them.
CREATE OR REPLACE FUNCTION {schema}.unblock(p_workflows text[], p_runs uuid[], p_namespaces text[], p_code text) RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_released bigint;
BEGIN
    WITH locked AS MATERIALIZED (
        SELECT r.id FROM {schema}.runs r
        WHERE r.seldom = {state.blocked} AND r.workflow = ANY (p_workflows) AND (p_runs IS NULL OR r.id = ANY (p_runs))
          AND (p_namespaces IS NULL OR r.namespace = ANY (p_namespaces))
          AND (p_code IS NULL OR r.fault ->> 'kind' IN ('drift', 'input') 
               AND position(p_code IN coalesce(r.fault ->> 'code', '')) = 0)
        ORDER BY r.depth, r.id FOR NO KEY UPDATE
    ), released AS (
        UPDATE {schema}.runs r
        SET state = {state.running}, due_at = clock_timestamp(), asleep = false, deaths = 0,
            reason = CASE WHEN p_code IS NOT NULL THEN r.reason END,
            fault = CASE WHEN p_code IS NOT NULL THEN r.fault || jsonb_build_object('attempt', r.attempt + 1) END,
            updated_at = clock_timestamp()
        FROM locked WHERE r.id = locked.id RETURNING 1
    )
    SELECT count(*) INTO v_released FROM released;
    IF v_released > 0 THEN
        PERFORM {schema}.notify('work', '{}');
    END IF;
    RETURN v_released;
END
$$;

-- Why runs were blocked that other code is trying now, in their first attempt since; NULL if none of these is.
CREATE OR REPLACE FUNCTION {schema}.tried_again(p_runs uuid[]) RETURNS jsonb
LANGUAGE sql STABLE
SET enable_seqscan = off
AS $$
    SELECT jsonb_object_agg(r.id, jsonb_build_object('reason', r.reason, 'fault', r.fault - 'attempt'))
    FROM {schema}.runs r WHERE r.id = ANY (p_runs) AND (r.fault ->> 'attempt')::integer = r.attempt
$$;

-- Block these again that the other code has released because it refuses them, too: by what they were blocked before. It
-- is one more code then that shall not try them again, like one that has blocked them.
CREATE OR REPLACE FUNCTION {schema}.block_again(p_tried jsonb, p_refused uuid[], p_fault text[]) RETURNS void
LANGUAGE sql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    UPDATE {schema}.runs r
    SET state = {state.blocked}, due_at = NULL, asleep = false,
        reason = CASE WHEN r.state = {state.blocked} THEN r.reason ELSE t.before ->> 'reason' END,
        fault = CASE WHEN r.state = {state.blocked} THEN coalesce(r.fault, '{}') ELSE t.before -> 'fault' END
                || jsonb_build_object('code', right(concat_ws(' ', t.before -> 'fault' ->> 'code', CASE
                    WHEN r.state = {state.blocked} THEN r.fault ->> 'code'
                    ELSE (SELECT f.fault::jsonb ->> 'code' FROM unnest(p_refused, p_fault) AS f (run, fault)
                          WHERE f.run = r.id LIMIT 1) END), 1000))
    FROM jsonb_each(p_tried) AS t (run, before)
    WHERE r.id = t.run::uuid AND (r.state = {state.blocked} OR r.state = {state.suspended} AND r.id = ANY (p_refused))
$$;
