-- What `continuum health` asks. Each function finds what is rare through an index that has it alone, and counts up to a
-- limit, so that the answer takes as long in a large database as in a small one.

-- Runs without owner that have been due since p_by or longer, in groups of one workflow, version and namespace that the same
-- code has refused. Suspects are left out: they are tried apart; so are paused runs. Up to p_most of a group are counted, and of all groups
-- together not many more than p_rows; `more` if there are more.
CREATE OR REPLACE FUNCTION {schema}.overdue_runs(p_by timestamptz, p_groups integer, p_most integer, p_rows integer)
RETURNS TABLE (workflow text, version text, namespace text, refused text[], runs bigint, more boolean, since timestamptz,
               example uuid)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_suspects boolean := EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any});
    v_pauses boolean := EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue');
    v_groups {schema}.claim_group[];
    v_most integer;
BEGIN
    WITH RECURSIVE ready (number, workflow, version, namespace, since) AS (
        (SELECT 1, x.workflow, coalesce(x.version, ''), x.namespace, x.ready_at FROM {schema}.runs x
         WHERE x.ready_at IS NOT NULL AND x.refused IS NULL
         ORDER BY x.workflow, coalesce(x.version, ''), x.namespace, x.ready_at LIMIT 1)
        UNION ALL
        SELECT g.number + 1, n.workflow, n.version, n.namespace, n.ready_at FROM ready g
        CROSS JOIN LATERAL (
            SELECT x.workflow, coalesce(x.version, '') AS version, x.namespace, x.ready_at FROM {schema}.runs x
            WHERE x.ready_at IS NOT NULL AND x.refused IS NULL
              AND (x.workflow, coalesce(x.version, ''), x.namespace) > (g.workflow, g.version, g.namespace)
            ORDER BY x.workflow, coalesce(x.version, ''), x.namespace, x.ready_at LIMIT 1
        ) n WHERE g.number < p_groups
    ), refused (number, workflow, "last", version, refused, namespace, since) AS (
        (SELECT 1, x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                x.namespace, x.ready_at
         FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NOT NULL
         ORDER BY x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                  x.namespace, x.ready_at LIMIT 1)
        UNION ALL
        SELECT g.number + 1, n.* FROM refused g
        CROSS JOIN LATERAL (
            SELECT x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                   x.namespace, x.ready_at
            FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NOT NULL
              AND (x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                   x.namespace) > (g.workflow, g."last", g.version, g.refused, g.namespace)
            ORDER BY x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                     x.namespace, x.ready_at LIMIT 1
        ) n WHERE g.number < p_groups
    )
    SELECT array_agg(ROW(a.workflow, a.version, a.namespace, a.refused, a.since, false)::{schema}.claim_group) INTO v_groups
    FROM (
        SELECT r.workflow, r.version, r.namespace, NULL::text[] AS refused, r.since FROM ready r
        UNION ALL SELECT f.workflow, f.version, f.namespace, f.refused, f.since FROM refused f
    ) a WHERE a.since <= p_by AND NOT {schema}.paused_together(a.workflow, a.namespace, NULL);
    v_most := least(p_most, greatest(p_rows / greatest(cardinality(v_groups), 1), 100));
    RETURN QUERY
    SELECT g.workflow, g.version, g.namespace, g.refused, least(c.runs, v_most), c.runs > v_most, c.since, c.example
    FROM unnest(v_groups) g CROSS JOIN LATERAL (
        SELECT count(*) AS runs, min(f.ready_at) AS since, (array_agg(f.id))[1] AS example FROM (
            SELECT x.id, x.ready_at FROM {schema}.runs x
            WHERE g.refused IS NULL AND x.ready_at <= p_by AND x.refused IS NULL AND x.workflow = g.workflow
              AND coalesce(x.version, '') = g.version AND x.namespace = g.namespace
              AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, '{}'))
            ORDER BY x.ready_at LIMIT v_most + 1
        ) f
        UNION ALL
        SELECT count(*), min(f.ready_at), (array_agg(f.id))[1] FROM (
            SELECT x.id, x.ready_at FROM {schema}.runs x
            WHERE x.ready_at <= p_by AND x.refused = g.refused AND x.workflow = g.workflow
              AND coalesce(x.refused[cardinality(x.refused)], '') = coalesce(g.refused[cardinality(g.refused)], '')
              AND coalesce(x.version, '') = g.version AND x.namespace = g.namespace
              AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, '{}'))
            ORDER BY x.ready_at LIMIT v_most + 1
        ) f
    ) c WHERE c.runs > 0;
    -- Those that should have woken: a claim looks for them by time alone.
    RETURN QUERY
    SELECT f.workflow, coalesce(f.version, ''), f.namespace, f.refused, count(*),
           (SELECT count(*) FROM (SELECT FROM {schema}.runs y WHERE y.wakes_at <= p_by LIMIT p_most + 1) l) > p_most,
           min(f.wakes_at), (array_agg(f.id))[1]
    FROM (
        SELECT x.id, x.workflow, x.version, x.namespace, x.refused, x.wakes_at FROM {schema}.runs x
        WHERE x.wakes_at <= p_by AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, '{}'))
          AND NOT (v_pauses AND {schema}.paused_together(x.workflow, x.namespace, NULL))
        ORDER BY x.wakes_at LIMIT p_most
    ) f GROUP BY f.workflow, f.version, f.namespace, f.refused;
END
$$;

-- Blocked runs by workflow and kind of their fault, each with the latest reason; `more` if there are more than p_most.
CREATE OR REPLACE FUNCTION {schema}.blocked_groups(p_most integer)
RETURNS TABLE (workflow text, kind text, runs bigint, more boolean, since timestamptz, example uuid, reason text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT f.workflow, coalesce(f.fault ->> 'kind', ''), count(*), bool_or(f.all_runs > p_most), min(f.updated_at),
           (array_agg(f.id ORDER BY f.updated_at DESC))[1], (array_agg(f.reason ORDER BY f.updated_at DESC))[1]
    FROM (
        SELECT x.id, x.workflow, x.fault, x.updated_at, left(x.reason, 300) AS reason, count(*) OVER () AS all_runs
        FROM (SELECT y.* FROM {schema}.runs y WHERE y.seldom = {state.blocked} LIMIT p_most + 1) x
    ) f GROUP BY f.workflow, coalesce(f.fault ->> 'kind', '');
END
$$;

-- Workers whose lease ran out before p_by, with how many runs and tasks each still owns, counted up to p_most. If no worker
-- lives, also how many of these have something to do now: of the runs, p_most of all workers are looked at; `more_due` if
-- there are more.
CREATE OR REPLACE FUNCTION {schema}.expired_owners(p_by timestamptz, p_workers integer, p_most integer)
RETURNS TABLE (id bigint, node text, role text, since timestamptz, runs bigint, tasks bigint, due_runs bigint,
               due_tasks bigint, more_due boolean)
LANGUAGE plpgsql STABLE
SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_pauses boolean := EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue');
    v_each integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.expires_at > clock_timestamp()) THEN
        v_each := greatest(p_most / (SELECT greatest(count(*), 1) FROM {schema}.workers w WHERE w.expires_at <= p_by), 100);
    END IF;
    RETURN QUERY
    SELECT w.id, w.node, w.role, w.expires_at,
           (SELECT count(*) FROM (SELECT FROM {schema}.runs r WHERE r.owner = w.id LIMIT p_most + 1) l),
           c.tasks, d.due, CASE WHEN v_each > 0 THEN c.tasks ELSE 0 END, d.due > 0 AND d.looked_at > v_each
    FROM (SELECT x.* FROM {schema}.workers x WHERE x.expires_at <= p_by AND isfinite(x.expires_at)
          ORDER BY x.expires_at LIMIT p_workers) w
    CROSS JOIN LATERAL (
        SELECT count(*) AS tasks FROM (SELECT FROM {schema}.tasks t WHERE t.owner = w.id LIMIT p_most + 1) l
    ) c
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE o.is_due) AS due, count(*) AS looked_at FROM (
            SELECT r.paused_at IS NULL AND NOT (v_pauses AND {schema}.paused_together(r.workflow, r.namespace, r.pause_lifted_at))
                   AND (r.state = {state.running} OR r.due_at <= clock_timestamp()
                        OR EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id)) AS is_due
            FROM {schema}.runs r WHERE v_each > 0 AND r.owner = w.id LIMIT v_each + 1
        ) o
    ) d ORDER BY w.expires_at;
END
$$;

-- Activity tasks without owner that have been due since p_by or longer, by queue, activity, node and namespace. Up to p_most
-- of a queue are looked at; `more` if there are more. While something is paused they are the first and the last ones: before
-- all others there may be very many of paused runs that no claim has put aside. The run of each is read then, so they are
-- fewer. `workflow` is that of a run of them.
CREATE OR REPLACE FUNCTION {schema}.overdue_tasks(p_by timestamptz, p_queues integer, p_most integer)
RETURNS TABLE (queue text, isolated boolean, activity text, node text, namespace text, tasks bigint, more boolean,
               since timestamptz, workflow text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_suspects boolean := EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any});
    v_pauses boolean := {schema}.any_pause();
    v_most integer := CASE WHEN v_pauses THEN least(p_most, {limit.overdue_tasks}) ELSE p_most END;
    v_first integer := CASE WHEN v_pauses THEN v_most / 2 ELSE v_most END + 1;
BEGIN
    RETURN QUERY
    WITH RECURSIVE queues (number, isolated, name) AS (
        (SELECT 1, t.isolated, t.queue FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NULL
         ORDER BY t.isolated, t.queue LIMIT 1)
        UNION ALL
        SELECT q.number + 1, n.isolated, n.queue FROM queues q CROSS JOIN LATERAL (
            SELECT t.isolated, t.queue FROM {schema}.tasks t
            WHERE t.owner IS NULL AND t.held_by IS NULL AND (t.isolated, t.queue) > (q.isolated, q.name)
            ORDER BY t.isolated, t.queue LIMIT 1
        ) n WHERE q.number < p_queues
    )
    SELECT q.name, q.isolated, f.activity, f.node, f.namespace, count(*), bool_or(f.all_tasks > v_most), min(f.due_at),
           min(f.workflow)
    FROM (SELECT x.* FROM queues x WHERE NOT EXISTS (
        SELECT FROM {schema}.pauses p WHERE p.kind = 'queue' AND p.name = x.name)) q
    CROSS JOIN LATERAL (
        SELECT d.activity, d.node, d.due_at, r.namespace, r.workflow, d.all_tasks FROM (
            SELECT l.*, count(*) OVER () AS all_tasks FROM (
                (SELECT t.run_id, t.seq, t.activity, t.node, t.due_at FROM {schema}.tasks t
                 WHERE t.owner IS NULL AND t.held_by IS NULL AND t.isolated = q.isolated AND t.queue = q.name
                   AND t.due_at <= p_by
                   AND NOT (v_suspects AND EXISTS (
                       SELECT FROM {schema}.suspects s
                       WHERE s.run_id = t.run_id AND s.seq = t.seq AND s.level > {suspicion.any}))
                 ORDER BY t.priority DESC, t.due_at LIMIT v_first)
                UNION
                (SELECT t.run_id, t.seq, t.activity, t.node, t.due_at FROM {schema}.tasks t
                 WHERE v_pauses
                   AND t.owner IS NULL AND t.held_by IS NULL AND t.isolated = q.isolated AND t.queue = q.name
                   AND t.due_at <= p_by
                   AND NOT (v_suspects AND EXISTS (
                       SELECT FROM {schema}.suspects s
                       WHERE s.run_id = t.run_id AND s.seq = t.seq AND s.level > {suspicion.any}))
                 ORDER BY t.priority, t.due_at DESC LIMIT v_first)
            ) l
        ) d
        LEFT JOIN LATERAL (SELECT x.* FROM {schema}.runs x WHERE x.id = d.run_id OFFSET 0) r ON true
        -- As `is_paused` says, which as a call takes several times as long.
        WHERE NOT (v_pauses AND r.id IS NOT NULL AND (r.paused_at IS NOT NULL OR EXISTS (
            SELECT FROM {schema}.pauses p
            WHERE (p.kind = 'workflow' AND p.name = r.workflow AND p.namespace IN ('', r.namespace)
                   OR p.kind = 'namespace' AND p.name = r.namespace)
              AND (r.pause_lifted_at IS NULL OR p.since > r.pause_lifted_at))))
    ) f GROUP BY q.name, q.isolated, f.activity, f.node, f.namespace;
END
$$;

-- Runs and tasks in quarantine by workflow, counted up to p_most in all.
CREATE OR REPLACE FUNCTION {schema}.quarantined(p_most integer)
RETURNS TABLE (workflow text, of_tasks boolean, suspects bigint, since timestamptz, example uuid)
LANGUAGE plpgsql STABLE
SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT x.workflow, s.seq >= 0, count(*), min(s.since), (array_agg(s.run_id ORDER BY s.since))[1]
    FROM (SELECT y.* FROM {schema}.suspects y WHERE y.level > {suspicion.any} LIMIT p_most) s
    CROSS JOIN LATERAL (
        SELECT r.workflow FROM {schema}.runs r WHERE r.id = s.run_id AND r.state {is_active} LIMIT 1
    ) x GROUP BY x.workflow, s.seq >= 0;
END
$$;

-- Runs without owner that have mail and are not due, by workflow: no claim looks for them. The oldest p_rows rows of all
-- inboxes are looked at; those of a run that nobody wakes come to be among them. `ids` are those of the runs, the oldest first.
CREATE OR REPLACE FUNCTION {schema}.lost_wakes(p_rows integer)
RETURNS TABLE (workflow text, since timestamptz, ids uuid[])
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT x.workflow, min(x.updated_at), array_agg(x.id ORDER BY x.updated_at, x.id)
    FROM (SELECT DISTINCT i.run_id FROM (SELECT y.run_id FROM {schema}.inbox y ORDER BY y.id LIMIT p_rows) i) m
    CROSS JOIN LATERAL (
        SELECT r.workflow, r.updated_at, r.id FROM {schema}.runs r
        WHERE r.id = m.run_id AND r.owner IS NULL AND r.state {is_active}
          AND (r.due_at IS NULL OR r.due_at > clock_timestamp()) OFFSET 0
    ) x GROUP BY x.workflow;
END
$$;

-- Suspended runs that have waited since p_by or longer for nothing that could come, by workflow; `more` if there are more
-- than p_most in all.
CREATE OR REPLACE FUNCTION {schema}.runs_for_nothing(p_by timestamptz, p_most integer)
RETURNS TABLE (workflow text, runs bigint, more boolean, since timestamptz, latest timestamptz, example uuid)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT f.workflow, count(*), bool_or(f.all_runs > p_most), min(f.updated_at), max(f.updated_at),
           (array_agg(f.id ORDER BY f.updated_at DESC, f.id DESC))[1]
    FROM (
        SELECT x.id, x.workflow, x.updated_at, count(*) OVER () AS all_runs
        FROM (SELECT y.* FROM {schema}.runs y WHERE y.for_nothing LIMIT p_most + 1) x
        WHERE x.state = {state.suspended} AND x.due_at IS NULL AND x.updated_at <= p_by
          AND (x.waits_for = '[]' OR x.waits_for #>> '{0,0}' = 'unread')
          AND NOT EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = x.id)
    ) f GROUP BY f.workflow;
END
$$;

-- Silence a finding with its parts, forget those that have changed since they were silenced, and record who did so; false if
-- it was silent.
CREATE OR REPLACE FUNCTION {schema}.review_finding(
    p_fingerprint text, p_code text, p_subject text, p_reviewer text, p_current text[], p_audit jsonb,
    p_parts text[] DEFAULT '{}'
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_silenced boolean;
BEGIN
    DELETE FROM {schema}.health_reviews h WHERE h.fingerprint <> ALL (p_current);
    INSERT INTO {schema}.health_reviews (fingerprint, code, subject, reviewer, parts)
    VALUES (p_fingerprint, p_code, p_subject, p_reviewer, p_parts) ON CONFLICT DO NOTHING;
    v_silenced := FOUND;
    PERFORM {schema}.record_change(p_audit, CASE WHEN v_silenced THEN 'done' ELSE 'already' END);
    RETURN v_silenced;
END
$$;

-- Pauses that began by p_by: p_pauses of many runs together, the oldest first, and those of single runs by workflow. What each
-- holds is counted up to p_most.
CREATE OR REPLACE FUNCTION {schema}.old_pauses(p_by timestamptz, p_pauses integer, p_most integer)
RETURNS TABLE (kind text, name text, namespace text, since timestamptz, paused_by text, reason text, runs bigint, more boolean,
               tasks bigint, more_tasks boolean, workflow text, example uuid, latest timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN QUERY
    SELECT p.kind, p.name, p.namespace, p.since, p.paused_by, p.reason, h.runs, h.more_runs, h.tasks, h.more_tasks,
           NULL::text, NULL::uuid, p.since
    FROM (SELECT * FROM {schema}.pauses x WHERE x.since <= p_by ORDER BY x.since LIMIT p_pauses) p
    CROSS JOIN LATERAL {schema}.held_by_pause(p.kind, p.name, p.namespace, p_most) h;
    RETURN QUERY
    SELECT 'run', '', '', min(f.paused_at), (array_agg(f.paused_by ORDER BY f.paused_at))[1],
           (array_agg(f.pause_reason ORDER BY f.paused_at))[1], least(count(*), p_most),
           count(*) > p_most OR max(f.place) = 10 * p_most, 0::bigint, false, f.workflow, (array_agg(f.id ORDER BY f.paused_at))[1], max(f.paused_at)
    FROM (
        SELECT r.*, row_number() OVER () AS place FROM {schema}.runs r
        WHERE r.paused_at IS NOT NULL AND r.completed_at IS NULL LIMIT 10 * p_most
    ) f WHERE f.paused_at <= p_by GROUP BY f.workflow;
END
$$;
