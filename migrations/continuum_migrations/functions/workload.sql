-- How much there is to do and what it waits for, for people who watch. Each function looks at a bounded number of rows, so
-- that an answer takes as long in a large database as in a small one.

-- The activity tasks of each queue that nobody has claimed, since when the oldest of them is due, and those that a process
-- has claimed. What nobody has claimed is counted up to the share that its queue has of p_most, which is a hundred at least,
-- what is claimed or put aside by a pause up to p_most; `more` if there are more.
CREATE OR REPLACE FUNCTION {schema}.queue_loads(p_queues integer, p_most integer)
RETURNS TABLE (queue text, waiting bigint, since timestamptz, claimed bigint, more boolean)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
WITH RECURSIVE queues (number, isolated, name) AS (
    (SELECT 1, t.isolated, t.queue FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NULL
     ORDER BY t.isolated, t.queue LIMIT 1)
    UNION ALL
    SELECT q.number + 1, n.isolated, n.queue FROM queues q CROSS JOIN LATERAL (
        SELECT t.isolated, t.queue FROM {schema}.tasks t
        WHERE t.owner IS NULL AND t.held_by IS NULL AND (t.isolated, t.queue) > (q.isolated, q.name)
        ORDER BY t.isolated, t.queue LIMIT 1
    ) n WHERE q.number < p_queues
), share AS (
    SELECT greatest(p_most / greatest(count(*), 1), 100) AS tasks FROM queues
), found AS (
    SELECT q.name AS queue, least(c.waiting, h.tasks) AS waiting, s.since, 0::bigint AS claimed, c.waiting > h.tasks AS more
    FROM share h CROSS JOIN queues q
    CROSS JOIN LATERAL (
        SELECT count(*) AS waiting FROM (
            SELECT FROM {schema}.tasks t
            WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = q.isolated AND t.queue = q.name LIMIT h.tasks + 1
        ) x
    ) c
    -- The first task of each priority, for the oldest may have the lowest.
    CROSS JOIN LATERAL (
        WITH RECURSIVE first (number, priority, due_at) AS (
            (SELECT 1, t.priority, t.due_at FROM {schema}.tasks t
             WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = q.isolated AND t.queue = q.name
             ORDER BY t.priority DESC, t.due_at LIMIT 1)
            UNION ALL
            SELECT f.number + 1, n.priority, n.due_at FROM first f CROSS JOIN LATERAL (
                SELECT t.priority, t.due_at FROM {schema}.tasks t
                WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = q.isolated AND t.queue = q.name
                  AND t.priority < f.priority
                ORDER BY t.priority DESC, t.due_at LIMIT 1
            ) n WHERE f.number < 20
        )
        SELECT min(f.due_at) AS since FROM first f
    ) s
    UNION ALL
    SELECT x.queue, count(*), min(x.due_at), 0, bool_or(x.number > p_most) FROM (
        SELECT t.queue, t.due_at, row_number() OVER () AS number FROM {schema}.tasks t WHERE t.held_by IS NOT NULL
        LIMIT p_most + 1
    ) x GROUP BY x.queue
    UNION ALL
    SELECT x.queue, 0, NULL, count(*), bool_or(x.number > p_most) FROM (
        SELECT t.queue, row_number() OVER () AS number FROM {schema}.tasks t WHERE t.owner IS NOT NULL LIMIT p_most + 1
    ) x GROUP BY x.queue
)
SELECT f.queue, sum(f.waiting)::bigint, min(f.since), sum(f.claimed)::bigint, bool_or(f.more)
FROM found f GROUP BY f.queue ORDER BY f.queue
$$;

-- Open runs, of one workflow or of all, by their states (`what` is state) and by what they wait for (`what` is wait: `kind`,
-- `name`, and since when the one that waits longest does). About p_most runs are looked at, as many of each version; with
-- fewer open runs these are all. The p_names that most runs wait for are returned.
CREATE OR REPLACE FUNCTION {schema}.open_work(p_workflow text, p_most integer, p_names integer)
RETURNS TABLE (what text, kind text, name text, runs bigint, since bigint, looked_at bigint, more boolean)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
WITH RECURSIVE begun (number, workflow, version) AS (
    (SELECT 1, r.workflow, r.version FROM {schema}.runs r
     WHERE r.completed_at IS NULL AND r.version IS NOT NULL AND r.workflow >= coalesce(p_workflow, '')
     ORDER BY r.workflow, r.version LIMIT 1)
    UNION ALL
    SELECT b.number + 1, n.workflow, n.version FROM begun b CROSS JOIN LATERAL (
        SELECT r.workflow, r.version FROM {schema}.runs r
        WHERE r.completed_at IS NULL AND r.version IS NOT NULL AND (r.workflow, r.version) > (b.workflow, b.version)
        ORDER BY r.workflow, r.version LIMIT 1
    ) n WHERE b.number < p_most / 10 AND (p_workflow IS NULL OR b.workflow = p_workflow)
), fresh (number, workflow) AS (
    -- Those that no process has begun.
    (SELECT 1, r.workflow FROM {schema}.runs r
     WHERE r.ready_at IS NOT NULL AND r.refused IS NULL AND r.workflow >= coalesce(p_workflow, '')
     ORDER BY r.workflow LIMIT 1)
    UNION ALL
    SELECT f.number + 1, n.workflow FROM fresh f CROSS JOIN LATERAL (
        SELECT r.workflow FROM {schema}.runs r
        WHERE r.ready_at IS NOT NULL AND r.refused IS NULL AND r.workflow > f.workflow
        ORDER BY r.workflow LIMIT 1
    ) n WHERE f.number < p_most / 10 AND p_workflow IS NULL
), groups (workflow, version) AS (
    SELECT b.workflow, b.version FROM begun b WHERE p_workflow IS NULL OR b.workflow = p_workflow
    UNION ALL
    SELECT f.workflow, NULL FROM fresh f WHERE p_workflow IS NULL OR f.workflow = p_workflow
), share AS (
    SELECT greatest(p_most / greatest(count(*), 1), 10) AS runs FROM groups
), sample AS MATERIALIZED (
    SELECT l.state, l.waits_for, l.for_nothing, l.number > s.runs AS more
    FROM share s CROSS JOIN groups g CROSS JOIN LATERAL (
        (SELECT r.state, r.waits_for, r.for_nothing, row_number() OVER () AS number FROM {schema}.runs r
         WHERE g.version IS NOT NULL AND r.workflow = g.workflow AND r.version = g.version AND r.completed_at IS NULL
         LIMIT s.runs + 1)
        UNION ALL
        (SELECT r.state, NULL, NULL, row_number() OVER () FROM {schema}.runs r
         WHERE g.version IS NULL AND r.workflow = g.workflow AND coalesce(r.version, '') = '' AND r.ready_at IS NOT NULL
           AND r.refused IS NULL
         LIMIT s.runs + 1)
    ) l
), looked AS (
    SELECT count(*) FILTER (WHERE NOT s.more) AS runs, coalesce(bool_or(s.more), false) AS more FROM sample s
)
SELECT f.*, l.runs, l.more FROM looked l CROSS JOIN (
    SELECT 'state' AS what, s.state::text AS kind, '' AS name, count(*) AS runs, NULL::bigint AS since
    FROM sample s WHERE NOT s.more GROUP BY s.state
    UNION ALL
    (SELECT 'wait', w.kind, w.name, count(*), min(w.since) FROM sample s CROSS JOIN LATERAL (
        SELECT a.wait ->> 0 AS kind, coalesce(a.wait ->> 2, '') AS name,
               min(CASE WHEN jsonb_typeof(a.wait -> 3) = 'number' AND (a.wait ->> 3)::numeric BETWEEN 0 AND 253402300799999999
                        THEN (a.wait ->> 3)::numeric::bigint END) AS since
        FROM jsonb_array_elements(CASE WHEN jsonb_typeof(s.waits_for) = 'array' THEN s.waits_for ELSE '[]' END) AS a (wait)
        WHERE a.wait ->> 0 IS NOT NULL GROUP BY 1, 2
        UNION ALL
        SELECT 'nothing', '', NULL WHERE s.for_nothing AND (s.waits_for = '[]' OR s.waits_for #>> '{0,0}' = 'unread')
     ) w WHERE NOT s.more AND s.state = {state.suspended}
     GROUP BY w.kind, w.name ORDER BY count(*) DESC, w.kind, w.name LIMIT p_names)
) f
$$;
