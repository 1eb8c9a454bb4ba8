-- Rows that are passed over because of a time that no engine writes: up to p_limit of each kind, in a fixed order. It
-- reads the odd runs, and one run for each group of the indexes. The other tables are small, or swept as often.
CREATE OR REPLACE FUNCTION {schema}.odd_rows(p_limit integer)
RETURNS TABLE (table_name text, column_name text, row_name text, value text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    -- No datetime holds a later time, so none was meant.
    v_last CONSTANT timestamptz := '9999-12-31 23:59:59.999999Z';
BEGIN
    RETURN QUERY
    WITH RECURSIVE ready (workflow, version, namespace) AS (
        (SELECT x.workflow, coalesce(x.version, ''), x.namespace FROM {schema}.runs x
         WHERE x.ready_at IS NOT NULL AND x.refused IS NULL
         ORDER BY x.workflow, coalesce(x.version, ''), x.namespace LIMIT 1)
        UNION ALL
        SELECT n.workflow, n.version, n.namespace FROM ready g
        CROSS JOIN LATERAL (
            SELECT x.workflow, coalesce(x.version, '') AS version, x.namespace FROM {schema}.runs x
            WHERE x.ready_at IS NOT NULL AND x.refused IS NULL
              AND (x.workflow, coalesce(x.version, ''), x.namespace) > (g.workflow, g.version, g.namespace)
            ORDER BY x.workflow, coalesce(x.version, ''), x.namespace LIMIT 1
        ) n
    ), refused (workflow, "last", version, refused, namespace) AS (
        (SELECT x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused, x.namespace
         FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NOT NULL
         ORDER BY x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                  x.namespace LIMIT 1)
        UNION ALL
        SELECT n.* FROM refused g
        CROSS JOIN LATERAL (
            SELECT x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused, x.namespace
            FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NOT NULL
              AND (x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                   x.namespace) > (g.workflow, g."last", g.version, g.refused, g.namespace)
            ORDER BY x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                     x.namespace LIMIT 1
        ) n
    ), queued (isolated, queue, priority) AS (
        (SELECT t.isolated, t.queue, t.priority FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NULL
         ORDER BY t.isolated, t.queue, t.priority DESC LIMIT 1)
        UNION ALL
        SELECT n.* FROM queued q CROSS JOIN LATERAL (
            -- The next priority of the queue, or else the next queue.
            (SELECT t.isolated, t.queue, t.priority FROM {schema}.tasks t
             WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = q.isolated AND t.queue = q.queue
               AND t.priority < q.priority
             ORDER BY t.isolated, t.queue, t.priority DESC LIMIT 1)
            UNION ALL
            (SELECT t.isolated, t.queue, t.priority FROM {schema}.tasks t
             WHERE t.owner IS NULL AND t.held_by IS NULL AND (t.isolated, t.queue) > (q.isolated, q.queue)
             ORDER BY t.isolated, t.queue, t.priority DESC LIMIT 1)
            LIMIT 1
        ) n
    ), far AS (
        SELECT r.id, r.due_at FROM ready g CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.ready_at > v_last AND x.refused IS NULL AND x.workflow = g.workflow
              AND coalesce(x.version, '') = g.version AND x.namespace = g.namespace
            ORDER BY x.ready_at LIMIT p_limit
        ) r
        UNION ALL
        SELECT x.id, x.due_at FROM {schema}.runs x WHERE x.wakes_at > v_last
        UNION ALL
        SELECT r.id, r.due_at FROM refused g CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.ready_at > v_last AND x.refused = g.refused AND x.workflow = g.workflow
              AND coalesce(x.refused[cardinality(x.refused)], '') = g."last" AND coalesce(x.version, '') = g.version
              AND x.namespace = g.namespace
            ORDER BY x.ready_at LIMIT p_limit
        ) r
    )
    (SELECT 'runs', 'due_at', f.id::text, f.due_at::text FROM far f ORDER BY f.id LIMIT p_limit)
    UNION ALL
    (SELECT 'runs', 'retain_until', x.id::text, x.retain_until::text FROM {schema}.runs x
     WHERE x.retain_until > v_last ORDER BY x.retain_until, x.id LIMIT p_limit)
    UNION ALL
    (SELECT 'tasks', 'due_at', o.run_id::text || '/' || o.seq, o.due_at::text FROM (
        SELECT r.* FROM queued q CROSS JOIN LATERAL (
            SELECT x.run_id, x.seq, x.due_at FROM {schema}.tasks x
            WHERE x.owner IS NULL AND x.held_by IS NULL AND x.isolated = q.isolated AND x.queue = q.queue
              AND x.priority = q.priority AND x.due_at > v_last OFFSET 0
        ) r
     ) o ORDER BY o.run_id, o.seq LIMIT p_limit)
    UNION ALL
    (SELECT 'workers', 'expires_at', x.id::text || ' of node ' || left(x.node, 100), x.expires_at::text
     FROM {schema}.workers x WHERE x.expires_at > v_last ORDER BY x.id LIMIT p_limit)
    UNION ALL
    (SELECT 'nodes', 'renewed_at', left(x.node, 100), x.renewed_at::text FROM {schema}.nodes x
     WHERE x.renewed_at > v_last ORDER BY x.node LIMIT p_limit)
    UNION ALL
    (SELECT 'suspects', c.name, x.run_id::text || '/' || x.seq, c.at::text FROM {schema}.suspects x
     CROSS JOIN LATERAL (VALUES ('since', x.since), ('killed_at', x.killed_at)) AS c (name, at)
     WHERE c.at > v_last ORDER BY x.run_id, x.seq, c.name LIMIT p_limit);
END
$$;
