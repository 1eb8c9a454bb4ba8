-- Until when to keep a run that something other than its code ends now. For a run without a version, the version
-- that was registered last counts.
CREATE OR REPLACE FUNCTION {schema}.retained_from_now(p_workflow text, p_version text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN v.retention >= 0 AND v.retention < {limit.retention_seconds}
                THEN clock_timestamp() + v.retention * interval '1 second' END
    FROM {schema}.versions v
    WHERE v.workflow = p_workflow AND (p_version IS NULL OR v.version = p_version)
    ORDER BY v.registered_at DESC, length(v.label) DESC, v.label DESC LIMIT 1
$$;

-- Remove up to p_limit runs whose retention is over, with everything that belongs to them. A chain is removed as a
-- whole, by the time of its latest run; a child stays while its parent is open. It waits for no lock.
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
        WHERE r.retain_until <= clock_timestamp() AND r.continued_to IS NULL AND r.state {is_terminal}
          AND NOT EXISTS (SELECT FROM {schema}.runs p WHERE p.id = r.parent_id AND p.state {is_open})
        ORDER BY r.retain_until LIMIT p_limit FOR UPDATE SKIP LOCKED
    ) l;
    IF v_roots IS NULL THEN
        RETURN 0;
    END IF;
    v_runs := v_roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (v_roots));
    v_locked := ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.id = ANY (v_runs) FOR UPDATE SKIP LOCKED);
    IF cardinality(v_locked) < cardinality(v_runs) THEN
        -- A run of a chain is locked, maybe on the way to the chain's latest run, which is locked here: leave that
        -- chain for another time.
        v_roots := ARRAY(
            SELECT c.root FROM unnest(v_roots) AS c (root)
            WHERE NOT EXISTS (SELECT FROM {schema}.runs r
                              WHERE (r.id = c.root OR r.root = c.root) AND r.id <> ALL (v_locked)));
        v_runs := v_roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (v_roots));
    END IF;
    RETURN {schema}.remove_runs(v_roots, v_runs);
END
$$;

-- Remove the runs of chains, which are locked, with everything that belongs to them.
CREATE OR REPLACE FUNCTION {schema}.remove_runs(p_roots uuid[], p_runs uuid[]) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    DELETE FROM {schema}.events x WHERE x.run_id = ANY (p_runs);
    DELETE FROM {schema}.snapshots x WHERE x.run_id = ANY (p_runs);
    DELETE FROM {schema}.refusals x WHERE x.run_id = ANY (p_runs);
    DELETE FROM {schema}.inbox x WHERE x.run_id = ANY (p_runs);
    DELETE FROM {schema}.tasks x WHERE x.run_id = ANY (p_runs);
    DELETE FROM {schema}.suspects x WHERE x.run_id = ANY (p_runs);
    DELETE FROM {schema}.heartbeats x WHERE x.run_id = ANY (p_runs);
    DELETE FROM {schema}.deliveries x WHERE x.run_id = ANY (p_roots);
    DELETE FROM {schema}.published_values x WHERE x.root = ANY (p_roots);
    DELETE FROM {schema}.runs x WHERE x.id = ANY (p_runs);
    RETURN cardinality(p_runs);
END
$$;

-- Remove those of these runs that are the latest of chains that have ended, with their chains, and return them. A child stays
-- while its parent is open, which may read it. A chain of which somebody holds a run stays, too.
CREATE OR REPLACE FUNCTION {schema}.remove_ended(p_runs uuid[]) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_latest uuid[];
    v_roots uuid[];
    v_runs uuid[];
    v_locked uuid[];
BEGIN
    PERFORM FROM {schema}.runs r WHERE r.id = ANY (p_runs) ORDER BY r.depth, r.id FOR UPDATE;
    v_latest := ARRAY(
        SELECT r.id FROM {schema}.runs r
        WHERE r.id = ANY (p_runs) AND r.continued_to IS NULL AND r.state {is_terminal}
          AND NOT EXISTS (SELECT FROM {schema}.runs p WHERE p.id = r.parent_id AND p.state {is_open}));
    v_roots := ARRAY(SELECT coalesce(r.root, r.id) FROM {schema}.runs r WHERE r.id = ANY (v_latest));
    v_runs := v_roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (v_roots));
    v_locked := ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.id = ANY (v_runs) FOR UPDATE SKIP LOCKED);
    IF EXISTS (SELECT FROM {schema}.runs r WHERE r.id = ANY (v_runs) AND r.id <> ALL (v_locked)) THEN
        v_roots := ARRAY(
            SELECT c.root FROM unnest(v_roots) AS c (root)
            WHERE NOT EXISTS (SELECT FROM {schema}.runs r
                              WHERE (r.id = c.root OR r.root = c.root) AND r.id <> ALL (v_locked)));
        v_runs := v_roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (v_roots));
    END IF;
    v_latest := ARRAY(SELECT l.id FROM unnest(v_latest) AS l (id) WHERE l.id = ANY (v_runs));
    PERFORM {schema}.remove_runs(v_roots, v_runs);
    RETURN v_latest;
END
$$;
