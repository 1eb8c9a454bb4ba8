-- The versions that open runs have. The runs of each are counted up to its share of p_counted, so that this costs the
-- same however many runs there are; more: it has more of them.
CREATE OR REPLACE FUNCTION {schema}.open_versions(p_counted bigint)
RETURNS TABLE (workflow text, version text, runs bigint, more boolean)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
WITH RECURSIVE open AS (
    (SELECT r.workflow, r.version FROM {schema}.runs r WHERE r.completed_at IS NULL AND r.version IS NOT NULL
     ORDER BY r.workflow, r.version LIMIT 1)
    UNION ALL
    -- A step through the index for each version, whatever lies between.
    SELECT n.workflow, n.version FROM open o CROSS JOIN LATERAL (
        SELECT r.workflow, r.version FROM {schema}.runs r
        WHERE r.completed_at IS NULL AND r.version IS NOT NULL AND (r.workflow, r.version) > (o.workflow, o.version)
        ORDER BY r.workflow, r.version LIMIT 1
    ) n
), share AS (
    SELECT greatest(p_counted / greatest(count(*), 1), 1) AS runs FROM open
)
SELECT o.workflow, o.version, least(c.runs, s.runs), c.runs > s.runs
FROM share s CROSS JOIN open o CROSS JOIN LATERAL (
    SELECT count(*) AS runs FROM (
        SELECT FROM {schema}.runs r WHERE r.workflow = o.workflow AND r.version = o.version AND r.completed_at IS NULL
        LIMIT s.runs + 1
    ) x
) c
$$;
