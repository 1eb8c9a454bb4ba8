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
    SELECT c.roots, c.runs INTO v_roots, v_runs FROM {schema}.lock_chains(v_roots) c;
    RETURN {schema}.remove_runs(v_roots, v_runs);
END
$$;

-- Lock all runs of the chains with these roots, and return the chains that are locked whole, by roots and by runs. A chain of
-- which somebody holds a run, maybe on the way to its latest run, is left out: this waits for no lock.
CREATE OR REPLACE FUNCTION {schema}.lock_chains(p_roots uuid[], OUT roots uuid[], OUT runs uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_locked uuid[];
BEGIN
    roots := p_roots;
    runs := roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (roots));
    v_locked := ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.id = ANY (runs) FOR UPDATE SKIP LOCKED);
    IF cardinality(v_locked) < cardinality(runs) THEN
        roots := ARRAY(
            SELECT c.root FROM unnest(p_roots) AS c (root)
            WHERE NOT EXISTS (SELECT FROM {schema}.runs r
                              WHERE (r.id = c.root OR r.root = c.root) AND r.id <> ALL (v_locked)));
        runs := roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (roots));
    END IF;
END
$$;

-- Remove the runs of chains, which are locked, with everything that belongs to them.
CREATE OR REPLACE FUNCTION {schema}.remove_runs(p_roots uuid[], p_runs uuid[]) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_families uuid[] := ARRAY(
        SELECT f.family FROM {schema}.forks f WHERE f.fork = ANY (p_roots)
        UNION SELECT f.family FROM {schema}.forks f WHERE f.family = ANY (p_roots));
BEGIN
    IF cardinality(v_families) > 0 THEN
        -- Two that remove the last ones of a family see each other.
        PERFORM FROM {schema}.forks f WHERE f.family = ANY (v_families) ORDER BY f.fork FOR UPDATE;
        UPDATE {schema}.forks f SET is_lost = true
        WHERE f.family = ANY (v_families) AND f.root = ANY (p_roots) AND EXISTS (
            SELECT FROM {schema}.runs r
            WHERE (r.id = f.root OR r.root = f.root) AND coalesce(r.completed_at, 'infinity') >= f.made_at);
    END IF;
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
    IF cardinality(v_families) > 0 THEN
        DELETE FROM {schema}.forks f
        WHERE f.family = ANY (v_families)
          AND NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = f.family)
          AND NOT EXISTS (SELECT FROM {schema}.forks x JOIN {schema}.runs r ON r.id = x.fork WHERE x.family = f.family);
    END IF;
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
BEGIN
    PERFORM FROM {schema}.runs r WHERE r.id = ANY (p_runs) ORDER BY r.depth, r.id FOR UPDATE;
    v_latest := ARRAY(
        SELECT r.id FROM {schema}.runs r
        WHERE r.id = ANY (p_runs) AND r.continued_to IS NULL AND r.state {is_terminal}
          AND NOT EXISTS (SELECT FROM {schema}.runs p WHERE p.id = r.parent_id AND p.state {is_open}));
    v_roots := ARRAY(SELECT coalesce(r.root, r.id) FROM {schema}.runs r WHERE r.id = ANY (v_latest));
    SELECT c.roots, c.runs INTO v_roots, v_runs FROM {schema}.lock_chains(v_roots) c;
    v_latest := ARRAY(SELECT l.id FROM unnest(v_latest) AS l (id) WHERE l.id = ANY (v_runs));
    PERFORM {schema}.remove_runs(v_roots, v_runs);
    RETURN v_latest;
END
$$;
