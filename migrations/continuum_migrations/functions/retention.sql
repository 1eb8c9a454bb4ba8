-- Until when a run is kept that ends now, from outside; while it has no version the latest of its workflow counts.
-- More than 3e9 seconds, a hundred years, is for ever: what is added to the time must leave a time.
CREATE OR REPLACE FUNCTION {schema}.retained_from_now(p_workflow text, p_version text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN v.retention < 3e9 THEN clock_timestamp() + v.retention * interval '1 second' END
    FROM {schema}.versions v
    WHERE v.workflow = p_workflow AND (p_version IS NULL OR v.version = p_version)
    ORDER BY v.registered_at DESC, length(v.label) DESC, v.label DESC LIMIT 1
$$;

-- Remove up to p_limit runs whose retention is over, with all that belongs to them. A chain goes whole, by the
-- time of its tip; a child stays while its parent lives. No lock is waited for.
CREATE OR REPLACE FUNCTION {schema}.remove_retained(p_limit integer) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_roots uuid[];
    v_runs uuid[];
    v_locked uuid[];
BEGIN
    SELECT array_agg(l.root) INTO v_roots FROM (
        SELECT coalesce(r.root, r.id) AS root FROM {schema}.runs r
        WHERE r.retain_until <= clock_timestamp() AND r.continued_to IS NULL AND r.state >= 4
          AND NOT EXISTS (SELECT FROM {schema}.runs p WHERE p.id = r.parent_id AND p.state <= 3)
        ORDER BY r.retain_until LIMIT p_limit FOR UPDATE SKIP LOCKED
    ) l;
    IF v_roots IS NULL THEN
        RETURN 0;
    END IF;
    v_runs := v_roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (v_roots));
    v_locked := ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.id = ANY (v_runs) FOR UPDATE SKIP LOCKED);
    IF cardinality(v_locked) < cardinality(v_runs) THEN
        -- Somebody is at a run of a chain, maybe on the way to its tip, which we hold: that chain goes another time.
        v_roots := ARRAY(
            SELECT c.root FROM unnest(v_roots) AS c (root)
            WHERE NOT EXISTS (SELECT FROM {schema}.runs r
                              WHERE (r.id = c.root OR r.root = c.root) AND r.id <> ALL (v_locked)));
        v_runs := v_roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (v_roots));
    END IF;
    DELETE FROM {schema}.events x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.snapshots x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.refusals x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.inbox x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.tasks x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.heartbeats x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.deliveries x WHERE x.run_id = ANY (v_roots);
    DELETE FROM {schema}.cells x WHERE x.root = ANY (v_roots);
    DELETE FROM {schema}.runs x WHERE x.id = ANY (v_runs);
    RETURN cardinality(v_runs);
END
$$;
