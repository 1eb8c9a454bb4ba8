-- Make blocked runs of these workflows claimable again, and return how many: all of them, or those named; those of these
-- namespaces, or of all; with the digest of some code, those that other code has blocked and this may not.
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
          AND (p_code IS NULL OR r.fault ->> 'kind' IN ('drift', 'input') AND r.fault ->> 'code' IS DISTINCT FROM p_code)
        ORDER BY r.depth, r.id FOR NO KEY UPDATE
    ), released AS (
        UPDATE {schema}.runs r
        SET state = {state.running}, due_at = clock_timestamp(), asleep = false, deaths = 0, reason = NULL, fault = NULL,
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
