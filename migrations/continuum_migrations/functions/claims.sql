-- The groups of runs of other versions that code may try: by workflow and version, and by the versions that refused
-- them. Each group is found in one step through an index.
CREATE OR REPLACE FUNCTION {schema}.foreign_groups(
    p_workflows text[], p_versions text[], p_others boolean[], p_namespaces text[]
) RETURNS TABLE (workflow text, version text, refused text[])
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF true <> ALL (p_others) THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH RECURSIVE taker AS MATERIALIZED (
        SELECT c.workflow, array_agg(c.version) AS loaded, array_agg(c.version) FILTER (WHERE c.others) AS trying
        FROM unnest(p_workflows, p_versions, p_others) AS c (workflow, version, others)
        GROUP BY c.workflow HAVING bool_or(c.others)
    ), untried (workflow, version) AS (
        SELECT t.workflow, (
            SELECT x.version FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NULL AND x.workflow = t.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
              AND x.version IS NOT NULL ORDER BY x.version LIMIT 1)
        FROM taker t
        UNION ALL
        SELECT u.workflow, (
            SELECT x.version FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NULL AND x.workflow = u.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
              AND x.version > u.version ORDER BY x.version LIMIT 1)
        FROM untried u WHERE u.version IS NOT NULL
    ), tried (workflow, version, refused) AS (
        SELECT t.workflow, n.version, n.refused FROM taker t
        CROSS JOIN LATERAL (
            SELECT x.version, x.refused FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NOT NULL AND x.workflow = t.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
            ORDER BY x.version, x.refused LIMIT 1
        ) n
        UNION ALL
        SELECT d.workflow, n.version, n.refused FROM tried d
        CROSS JOIN LATERAL (
            SELECT x.version, x.refused FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NOT NULL AND x.workflow = d.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
              AND (x.version, x.refused) > (d.version, d.refused)
            ORDER BY x.version, x.refused LIMIT 1
        ) n
    )
    SELECT u.workflow, u.version, NULL::text[] FROM untried u JOIN taker t ON t.workflow = u.workflow
    WHERE u.version <> ALL (t.loaded)
    UNION ALL
    SELECT d.workflow, d.version, d.refused FROM tried d JOIN taker t ON t.workflow = d.workflow
    WHERE d.version <> ALL (t.loaded) AND NOT t.trying <@ d.refused;
END
$$;

-- When the first run is due whose version is not loaded and that no code has refused, of workflows whose code takes
-- other versions. One step through an index for each version that such runs have.
CREATE OR REPLACE FUNCTION {schema}.untried_due(
    p_workflows text[], p_versions text[], p_others boolean[], p_namespaces text[]
) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF true <> ALL (p_others) THEN
        RETURN NULL;
    END IF;
    RETURN (
        WITH RECURSIVE first (workflow, version, due_at) AS (
            SELECT c.workflow, n.version, n.due_at FROM (
                SELECT DISTINCT u.workflow FROM unnest(p_workflows, p_others) AS u (workflow, others) WHERE u.others
            ) c
            CROSS JOIN LATERAL (
                SELECT x.version, x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NULL AND x.workflow = c.workflow
                  AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
                  AND x.version IS NOT NULL
                ORDER BY x.version, x.due_at LIMIT 1
            ) n
            UNION ALL
            SELECT f.workflow, n.version, n.due_at FROM first f
            CROSS JOIN LATERAL (
                SELECT x.version, x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NULL AND x.workflow = f.workflow
                  AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
                  AND x.version > f.version
                ORDER BY x.version, x.due_at LIMIT 1
            ) n
        )
        SELECT min(f.due_at) FROM first f WHERE (f.workflow, f.version) NOT IN (
            SELECT u.workflow, u.version FROM unnest(p_workflows, p_versions) AS u (workflow, version)));
END
$$;

-- The workflows whose runs have killed several processes lately: their runs are kept apart from those of others.
CREATE OR REPLACE FUNCTION {schema}.deadly_workflows() RETURNS text[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN ARRAY(
        SELECT x.workflow FROM {schema}.suspects s JOIN {schema}.runs x ON x.id = s.run_id
        WHERE s.killed_at > clock_timestamp() - {limit.deadly} * interval '1 second'
        GROUP BY x.workflow HAVING count(*) >= {limit.deadly_runs});
END
$$;

-- Whether a run is left to the processes that try suspects.
CREATE OR REPLACE FUNCTION {schema}.in_quarantine(p_run uuid, p_workflow text, p_deadly text[]) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
BEGIN
    RETURN p_workflow = ANY (p_deadly)
        OR EXISTS (SELECT FROM {schema}.suspects s
                   WHERE s.run_id = p_run AND s.seq = -1 AND s.level > {suspicion.any});
END
$$;

-- Make a worker the owner of runs that it has locked.
CREATE OR REPLACE FUNCTION {schema}.own_runs(
    p_worker bigint, p_chosen uuid[], p_workflows text[], p_versions text[], p_current boolean[]
) RETURNS TABLE (id uuid, token bigint, workflow text, version text, namespace text, input bytea,
                 started_at timestamptz, attempt integer, trace_context text, fresh boolean, parent uuid,
                 depth integer, root uuid, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
    IF cardinality(p_chosen) = 0 THEN
        -- No lock was taken either: a claim that finds nothing writes nothing.
        RETURN;
    END IF;
    -- From here on a retirement of the worker waits for this claim. One that has already begun is not waited for:
    -- this claim holds runs, and in the order of locks they come after the worker. The next claim reports the loss.
    PERFORM FROM {schema}.workers w WHERE w.id = p_worker AND w.expires_at > clock_timestamp()
    FOR KEY SHARE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE {schema}.runs AS r
    SET owner = p_worker, token = nextval('{schema}.fencing_token'), state = {state.running}, due_at = NULL,
        claimed_at = clock_timestamp(),
        -- At its maximum, which somebody wrote by hand, it stays: an overflow would fail the claim of all.
        attempt = least(r.attempt, 2147483646) + 1, fresh = false, updated_at = clock_timestamp(),
        version = coalesce(r.version, (SELECT c.version FROM unnest(p_workflows, p_versions, p_current)
                                           AS c (workflow, version, is_current)
                                       WHERE c.workflow = r.workflow AND c.is_current LIMIT 1))
    FROM unnest(p_chosen) AS chosen (id)
    WHERE r.id = chosen.id
    RETURNING r.id, r.token, r.workflow, r.version, r.namespace, r.input, r.started_at, r.attempt, r.trace_context,
              r.attempt = 1 AND NOT EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id),
              r.parent_id, r.depth, coalesce(r.root, r.id), true;
END
$$;

-- Own up to p_limit runs that are due and whose code the worker has loaded; then, if there is room, runs of other
-- versions that have waited for p_grace and that its code has not refused; all within p_namespaces. A run that has mail
-- and no owner is due (see post), so only due times need a look. "version" comes first in the orders because
-- "is null" does not tell the planner that the index gives them.
CREATE OR REPLACE FUNCTION {schema}.claim_runs(
    p_worker bigint, p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[],
    p_limit integer, p_grace double precision, p_namespaces text[]
) RETURNS TABLE (id uuid, token bigint, workflow text, version text, namespace text, input bytea,
                 started_at timestamptz, attempt integer, trace_context text, fresh boolean, parent uuid,
                 depth integer, root uuid, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_chosen uuid[] := '{}';
    v_foreign uuid[];
    v_refused boolean;
    v_suspects boolean := EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any});
    v_deadly text[] := CASE WHEN v_suspects THEN {schema}.deadly_workflows() END;
    v_waited timestamptz := now() - p_grace * interval '1 second';
BEGIN
    SELECT EXISTS (SELECT FROM {schema}.runs x WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NOT NULL)
    INTO v_refused FROM {schema}.workers w WHERE w.id = p_worker AND w.expires_at > clock_timestamp();
    IF NOT FOUND THEN
        held := false;
        RETURN NEXT;
        RETURN;
    END IF;
    WITH unversioned AS MATERIALIZED (
        SELECT r.id, r.due_at FROM unnest(p_workflows, p_current) AS c (workflow, is_current)
        CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NULL AND x.workflow = c.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
              AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
              AND x.version IS NULL AND x.due_at <= now()
            ORDER BY x.version, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r WHERE c.is_current
    ), known AS MATERIALIZED (
        SELECT r.id, r.due_at FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NULL AND x.workflow = c.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
              AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
              AND x.version = c.version AND x.due_at <= now()
            ORDER BY x.version, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r
    ), refused AS MATERIALIZED (
        -- Refused by other code than theirs. In no order: there are several groups.
        SELECT r.id, r.due_at FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NOT NULL AND x.workflow = c.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
              AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
              AND x.version = c.version AND x.due_at <= now()
            LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r WHERE v_refused
    ), due AS (
        SELECT * FROM unversioned UNION SELECT * FROM known UNION SELECT * FROM refused
    )
    SELECT coalesce(array_agg(d.id), '{}') INTO v_chosen
    FROM (SELECT due.id FROM due ORDER BY due.due_at LIMIT p_limit) d;

    IF cardinality(v_chosen) < p_limit
       AND (v_refused OR {schema}.untried_due(p_workflows, p_versions, p_others, p_namespaces) <= v_waited) THEN
        WITH groups AS MATERIALIZED (
            SELECT g.workflow, g.version, g.refused
            FROM {schema}.foreign_groups(p_workflows, p_versions, p_others, p_namespaces) g
        ), untried AS MATERIALIZED (
            SELECT r.id, r.due_at FROM groups g
            CROSS JOIN LATERAL (
                SELECT x.id, x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NULL AND x.workflow = g.workflow
                  AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
                  AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
                  AND x.version = g.version AND x.due_at <= v_waited
                ORDER BY x.version, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
            ) r WHERE g.refused IS NULL
        ), tried AS MATERIALIZED (
            SELECT r.id, r.due_at FROM groups g
            CROSS JOIN LATERAL (
                SELECT x.id, x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state {is_active} AND x.refused = g.refused AND x.workflow = g.workflow
                  AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
                  AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
                  AND x.version = g.version AND x.due_at <= v_waited
                ORDER BY x.version, x.refused, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
            ) r WHERE g.refused IS NOT NULL
        ), due AS (
            SELECT * FROM untried UNION ALL SELECT * FROM tried
        )
        SELECT coalesce(array_agg(d.id), '{}') INTO v_foreign
        FROM (SELECT due.id FROM due ORDER BY due.due_at LIMIT p_limit - cardinality(v_chosen)) d;
        v_chosen := v_chosen || v_foreign;
    END IF;

    RETURN QUERY SELECT * FROM {schema}.own_runs(p_worker, v_chosen, p_workflows, p_versions, p_current);
END
$$;

-- When the next run is due that a claim with the same arguments takes; in step with claim_runs.
CREATE OR REPLACE FUNCTION {schema}.next_due(
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[],
    p_grace double precision, p_namespaces text[]
) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_due timestamptz;
    v_suspects boolean := EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any});
    v_deadly text[] := CASE WHEN v_suspects THEN {schema}.deadly_workflows() END;
BEGIN
    v_due := least((
        SELECT min(r.due_at) FROM unnest(p_workflows, p_current) AS c (workflow, is_current)
        CROSS JOIN LATERAL (
            SELECT x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NULL AND x.workflow = c.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
              AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
              AND x.version IS NULL AND x.due_at IS NOT NULL
            ORDER BY x.version, x.due_at LIMIT 1
        ) r WHERE c.is_current
    ), (
        SELECT min(r.due_at) FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NULL AND x.workflow = c.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
              AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
              AND x.version = c.version AND x.due_at IS NOT NULL
            ORDER BY x.version, x.due_at LIMIT 1
        ) r
    ), {schema}.untried_due(p_workflows, p_versions, p_others, p_namespaces) + p_grace * interval '1 second');
    IF EXISTS (SELECT FROM {schema}.runs x WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NOT NULL) THEN
        v_due := least(v_due, (
            SELECT min(r.due_at) FROM unnest(p_workflows, p_versions) AS c (workflow, version)
            CROSS JOIN LATERAL (
                SELECT min(x.due_at) AS due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state {is_active} AND x.refused IS NOT NULL AND x.workflow = c.workflow
                  AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
                  AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
                  AND x.version = c.version
            ) r
        ), (
            SELECT min(r.due_at) + p_grace * interval '1 second'
            FROM {schema}.foreign_groups(p_workflows, p_versions, p_others, p_namespaces) g
            CROSS JOIN LATERAL (
                SELECT x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state {is_active} AND x.refused = g.refused
                  AND x.workflow = g.workflow AND x.version = g.version AND x.due_at IS NOT NULL
                  AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
                  AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
                ORDER BY x.version, x.refused, x.due_at LIMIT 1
            ) r WHERE g.refused IS NOT NULL
        ));
    END IF;
    RETURN v_due;
END
$$;
