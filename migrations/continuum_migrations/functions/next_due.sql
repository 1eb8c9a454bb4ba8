-- When the next run is due that a claim with the same arguments takes, or earlier; in step with claim_in_turn. Runs that
-- are ready are due already, except those of other versions.
CREATE OR REPLACE FUNCTION {schema}.next_due(
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[],
    p_grace double precision, p_namespaces text[]
) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_suspects boolean := EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any});
    v_groups {schema}.claim_group[];
    v_code jsonb;
    v_ready timestamptz;
    v_wakes timestamptz;
    v_pauses boolean := EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue');
BEGIN
    IF v_suspects THEN
        SELECT c.* INTO p_workflows, p_versions, p_current, p_others
        FROM {schema}.without_deadly(p_workflows, p_versions, p_current, p_others) c;
    END IF;
    v_groups := ARRAY(
        SELECT g FROM {schema}.ready_groups(
            p_workflows, p_versions, p_current, p_others, p_namespaces, 'infinity', 'infinity', NULL, {limit.next_due}) g);
    IF EXISTS (SELECT FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NOT NULL) THEN
        v_groups := v_groups || ARRAY(
            SELECT g FROM {schema}.refused_groups(
                p_workflows, p_versions, p_others, p_namespaces, 'infinity', 'infinity', {limit.next_due}) g);
    END IF;
    IF v_suspects AND cardinality(v_groups) > 0 THEN
        v_ready := (
            SELECT min(r.ready_at + CASE WHEN g.others THEN p_grace ELSE 0 END * interval '1 second')
            FROM unnest(v_groups) g CROSS JOIN LATERAL (
                SELECT * FROM (
                    SELECT x.ready_at FROM {schema}.runs x
                    WHERE g.refused IS NULL AND x.ready_at IS NOT NULL AND x.refused IS NULL AND x.workflow = g.workflow
                      AND coalesce(x.version, '') = g.version AND x.namespace = g.namespace
                      AND NOT {schema}.in_quarantine(x.id, x.workflow, '{}')
                    ORDER BY x.ready_at LIMIT 1
                ) a
                UNION ALL SELECT * FROM (
                    SELECT x.ready_at FROM {schema}.runs x
                    WHERE x.ready_at IS NOT NULL AND x.refused = g.refused AND x.workflow = g.workflow
                      AND coalesce(x.refused[cardinality(x.refused)], '') = coalesce(g.refused[cardinality(g.refused)], '')
                      AND coalesce(x.version, '') = g.version AND x.namespace = g.namespace
                      AND NOT {schema}.in_quarantine(x.id, x.workflow, '{}')
                    ORDER BY x.ready_at LIMIT 1
                ) b
            ) r);
        IF cardinality(v_groups) >= {limit.next_due} THEN
            -- Behind groups that may have suspects alone there may be others: claims look for them, in turns.
            v_ready := least(v_ready, now());
        END IF;
    ELSE
        v_ready := (SELECT min(g.since + CASE WHEN g.others THEN p_grace ELSE 0 END * interval '1 second')
                    FROM unnest(v_groups) g);
    END IF;
    IF EXISTS (SELECT FROM {schema}.runs x WHERE x.wakes_at IS NOT NULL) THEN
        v_code := (SELECT coalesce(jsonb_object_agg(c.workflow || E'\n' || c.version, true), '{}')
                   FROM unnest(p_workflows, p_versions) AS c (workflow, version));
        -- The first one for this worker. If there is none among so many, the last of them: the claim at that time continues.
        v_wakes := (
            SELECT n.wakes_at FROM (
                SELECT f.*, row_number() OVER (ORDER BY f.wakes_at) AS place FROM (
                    SELECT x.id, x.workflow, x.version, x.namespace, x.wakes_at FROM {schema}.runs x
                    WHERE x.wakes_at IS NOT NULL ORDER BY x.wakes_at LIMIT {limit.next_due}
                ) f
            ) n
            WHERE n.place = {limit.next_due}
               OR {schema}.may_wake(n.id, n.workflow, n.version, n.namespace, v_code, p_namespaces, v_suspects)
                  AND NOT (v_pauses AND {schema}.paused_together(n.workflow, n.namespace, NULL))
            ORDER BY n.place LIMIT 1);
        IF true = ANY (p_others) THEN
            -- The first one that this code takes though it is of another version, if it comes before that one.
            v_wakes := least(v_wakes, (
                SELECT f.wakes_at FROM (
                    SELECT x.* FROM {schema}.runs x
                    WHERE x.wakes_at < coalesce(v_wakes - p_grace * interval '1 second', 'infinity')
                    ORDER BY x.wakes_at LIMIT {limit.next_due}
                ) f
                WHERE NOT v_code ? (f.workflow || E'\n' || f.version)
                  AND (p_namespaces IS NULL OR f.namespace = ANY (p_namespaces))
                  AND NOT (v_suspects AND {schema}.in_quarantine(f.id, f.workflow, '{}'))
                  AND NOT (v_pauses AND {schema}.paused_together(f.workflow, f.namespace, NULL))
                  AND EXISTS (SELECT FROM unnest(p_workflows, p_versions, p_others) AS c (workflow, version, others)
                              WHERE c.workflow = f.workflow AND c.others AND c.version <> ALL (coalesce(f.refused, '{}')))
                ORDER BY f.wakes_at LIMIT 1
            ) + p_grace * interval '1 second');
        END IF;
    END IF;
    IF v_pauses THEN
        v_wakes := least(v_wakes, {schema}.next_lifted(
            p_workflows, p_versions, p_current, p_others, p_namespaces, v_suspects));
    END IF;
    RETURN least(v_ready, v_wakes);
END
$$;
