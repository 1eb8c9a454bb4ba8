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

-- Loaded code without the deadly workflows, whose runs are kept apart as if their code were not loaded; NULLs if none is left.
CREATE OR REPLACE FUNCTION {schema}.without_deadly(
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[]
) RETURNS TABLE (workflows text[], versions text[], current boolean[], others boolean[])
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    v_deadly text[] := {schema}.deadly_workflows();
BEGIN
    RETURN QUERY
    SELECT array_agg(c.workflow), array_agg(c.version), array_agg(c.is_current), array_agg(c.others)
    FROM unnest(p_workflows, p_versions, p_current, p_others) AS c (workflow, version, is_current, others)
    WHERE c.workflow <> ALL (v_deadly);
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
DECLARE
    v_current jsonb;
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
    IF EXISTS (SELECT FROM {schema}.runs x WHERE x.id = ANY (p_chosen) AND x.version IS NULL) THEN
        v_current := (SELECT jsonb_object_agg(c.workflow, c.version)
                      FROM unnest(p_workflows, p_versions, p_current) AS c (workflow, version, is_current)
                      WHERE c.is_current);
    END IF;
    RETURN QUERY
    UPDATE {schema}.runs AS r
    SET owner = p_worker, token = nextval('{schema}.fencing_token'), state = {state.running}, due_at = NULL,
        asleep = false, claimed_at = clock_timestamp(),
        -- At its maximum, which somebody wrote by hand, it stays: an overflow would fail the claim of all.
        attempt = least(r.attempt, 2147483646) + 1, fresh = false, updated_at = clock_timestamp(),
        version = coalesce(r.version, v_current ->> r.workflow)
    FROM unnest(p_chosen) AS chosen (id)
    WHERE r.id = chosen.id
    RETURNING r.id, r.token, r.workflow, r.version, r.namespace, r.input, r.started_at, r.attempt, r.trace_context,
              r.attempt = 1 AND NOT EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id),
              r.parent_id, r.depth, coalesce(r.root, r.id), true;
END
$$;

-- Lock up to p_room runs of groups that are ready by p_by: of each namespace as many, within it of each group as many, and
-- of a group the oldest first. What a group leaves the others get. Chance decides who gets the places that are left when
-- shares are rounded down, a larger remainder more often: in any order, some would never get one.
CREATE OR REPLACE FUNCTION {schema}.lock_ready(
    p_groups {schema}.claim_group[], p_by timestamptz, p_room integer, p_suspects boolean
) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_groups {schema}.claim_group[] := p_groups;
    v_room integer := p_room;
    v_locked uuid[] := '{}';
    v_more uuid[];
BEGIN
    WHILE v_room > 0 AND cardinality(v_groups) > 0 LOOP
        WITH shares AS (
            SELECT g.*, v_room::float8 / count(*) OVER (PARTITION BY g.namespace)
                        / (SELECT count(DISTINCT n.namespace) FROM unnest(v_groups) n) AS share
            FROM unnest(v_groups) g
        ), quotas AS MATERIALIZED (
            SELECT s.*, floor(s.share)::integer + CASE
                WHEN row_number() OVER (ORDER BY -ln(1 - random()) / nullif(s.share - floor(s.share), 0))
                     <= v_room - sum(floor(s.share)) OVER () THEN 1 ELSE 0 END AS quota
            FROM shares s
        ), locked AS MATERIALIZED (
            SELECT q.*, CASE WHEN q.refused IS NULL THEN ARRAY(
                SELECT x.id FROM {schema}.runs x
                WHERE x.ready_at <= p_by AND x.refused IS NULL AND x.workflow = q.workflow
                  AND coalesce(x.version, '') = q.version AND x.namespace = q.namespace AND x.id <> ALL (v_locked)
                  AND NOT (p_suspects AND {schema}.in_quarantine(x.id, x.workflow, '{}'))
                ORDER BY x.ready_at LIMIT q.quota FOR UPDATE SKIP LOCKED)
            ELSE ARRAY(
                SELECT x.id FROM {schema}.runs x
                WHERE x.ready_at <= p_by AND x.refused = q.refused AND x.workflow = q.workflow
                  AND coalesce(x.refused[cardinality(x.refused)], '') = coalesce(q.refused[cardinality(q.refused)], '')
                  AND coalesce(x.version, '') = q.version AND x.namespace = q.namespace AND x.id <> ALL (v_locked)
                  AND NOT (p_suspects AND {schema}.in_quarantine(x.id, x.workflow, '{}'))
                ORDER BY x.ready_at LIMIT q.quota FOR UPDATE SKIP LOCKED)
            END AS ids FROM quotas q
        )
        SELECT ARRAY(SELECT unnest(l.ids) FROM locked l),
               ARRAY(SELECT ROW(l.workflow, l.version, l.namespace, l.refused, l.since, l.others)::{schema}.claim_group
                     FROM locked l WHERE cardinality(l.ids) >= l.quota)
        INTO v_more, v_groups;
        v_locked := v_locked || v_more;
        v_room := p_room - cardinality(v_locked);
    END LOOP;
    RETURN v_locked;
END
$$;

-- Whether a worker may take a run that has slept: its version is loaded (p_code has a key for each), and it is of a
-- namespace that the worker serves and no suspect.
CREATE OR REPLACE FUNCTION {schema}.may_wake(
    p_run uuid, p_workflow text, p_version text, p_namespace text, p_code jsonb, p_namespaces text[], p_suspects boolean
) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(p_code ? (p_workflow || E'\n' || p_version), false)
       AND (p_namespaces IS NULL OR p_namespace = ANY (p_namespaces))
       AND NOT (p_suspects AND {schema}.in_quarantine(p_run, p_workflow, '{}'))
$$;

-- Lock up to p_room runs that have slept until now, the earliest first, besides p_locked. Those that this worker may not
-- take become ready for others, so that they never stand in the way.
CREATE OR REPLACE FUNCTION {schema}.lock_sleepers(
    p_code jsonb, p_namespaces text[], p_room integer, p_locked uuid[], p_suspects boolean
) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_locked uuid[] := '{}';
    v_first uuid[];
    v_mine uuid[];
    v_pauses boolean := EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue');
BEGIN
    -- The next claim continues if there are more for others.
    FOR i IN 1 .. 5 LOOP
        v_first := ARRAY(
            SELECT x.id FROM {schema}.runs x
            WHERE x.wakes_at <= now() AND x.id <> ALL (p_locked) AND x.id <> ALL (v_locked)
            ORDER BY x.wakes_at LIMIT p_room - cardinality(v_locked) FOR UPDATE SKIP LOCKED);
        v_mine := ARRAY(
            SELECT x.id FROM {schema}.runs x WHERE x.id = ANY (v_first)
              AND {schema}.may_wake(x.id, x.workflow, x.version, x.namespace, p_code, p_namespaces, p_suspects)
              AND NOT (v_pauses AND {schema}.paused_together(x.workflow, x.namespace, NULL)));
        v_locked := v_locked || v_mine;
        EXIT WHEN cardinality(v_mine) = cardinality(v_first);
        UPDATE {schema}.runs x SET asleep = false WHERE x.id = ANY (v_first) AND x.id <> ALL (v_mine);
        -- If some are for others, many may be.
        UPDATE {schema}.runs r SET asleep = false WHERE r.id = ANY (ARRAY(
            SELECT x.id FROM {schema}.runs x WHERE x.wakes_at <= now() AND x.id = ANY (ARRAY(
                SELECT f.id FROM (
                    SELECT y.id, y.workflow, y.version, y.namespace FROM {schema}.runs y WHERE y.wakes_at <= now()
                    ORDER BY y.wakes_at LIMIT {limit.next_due}
                ) f WHERE NOT {schema}.may_wake(f.id, f.workflow, f.version, f.namespace, p_code, p_namespaces, p_suspects)
                       OR v_pauses AND {schema}.paused_together(f.workflow, f.namespace, NULL)))
            FOR UPDATE SKIP LOCKED));
    END LOOP;
    RETURN v_locked;
END
$$;

-- Own up to p_limit runs that are due and not paused and whose code the worker has loaded; then, if there is room, runs of other
-- versions that have waited for p_grace and that its code has not refused; all within p_namespaces. A run that has mail
-- and no owner is due (see post), so only due times need a look. Runs that have slept get half of the places, the groups
-- of those that are ready share the other half, and each half gets what the other leaves. If there are more groups than
-- places, `reached` is the last one that was looked at; the next claim continues there. If nothing of these groups can be
-- taken now, a row without a run has it.
CREATE OR REPLACE FUNCTION {schema}.claim_in_turn(
    p_worker bigint, p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[],
    p_limit integer, p_grace double precision, p_namespaces text[], p_after text[]
) RETURNS TABLE (id uuid, token bigint, workflow text, version text, namespace text, input bytea,
                 started_at timestamptz, attempt integer, trace_context text, fresh boolean, parent uuid,
                 depth integer, root uuid, held boolean, reached text[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_suspects boolean := EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any});
    v_waited timestamptz := now() - p_grace * interval '1 second';
    v_code jsonb;
    v_half integer := floor(p_limit / 2.0 + random());
    v_groups {schema}.claim_group[];
    v_chosen uuid[] := '{}';
    v_slept integer := 0;
    v_reached text[];
BEGIN
    PERFORM FROM {schema}.workers w WHERE w.id = p_worker AND w.expires_at > clock_timestamp();
    IF NOT FOUND THEN
        held := false;
        RETURN NEXT;
        RETURN;
    END IF;
    IF v_suspects THEN
        SELECT c.* INTO p_workflows, p_versions, p_current, p_others
        FROM {schema}.without_deadly(p_workflows, p_versions, p_current, p_others) c;
    END IF;
    IF EXISTS (SELECT FROM {schema}.runs x WHERE x.wakes_at <= now()) THEN
        v_code := (SELECT coalesce(jsonb_object_agg(c.workflow || E'\n' || c.version, true), '{}')
                   FROM unnest(p_workflows, p_versions) AS c (workflow, version));
        v_chosen := {schema}.lock_sleepers(v_code, p_namespaces, v_half, '{}', v_suspects);
        v_slept := cardinality(v_chosen);
    END IF;
    v_groups := ARRAY(
        SELECT g FROM {schema}.ready_groups(
            p_workflows, p_versions, p_current, p_others, p_namespaces, now(), v_waited, p_after, p_limit) g);
    IF cardinality(v_groups) = p_limit THEN
        v_reached := ARRAY[v_groups[p_limit].workflow, v_groups[p_limit].version, v_groups[p_limit].namespace];
    END IF;
    IF EXISTS (SELECT FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NOT NULL) THEN
        v_groups := v_groups || ARRAY(
            SELECT g FROM {schema}.refused_groups(
                p_workflows, p_versions, p_others, p_namespaces, now(), v_waited,
                -- Some may have suspects alone.
                CASE WHEN v_suspects THEN greatest(p_limit, {limit.next_due}) ELSE p_limit END) g);
    END IF;
    IF cardinality(v_groups) > 0 THEN
        v_chosen := v_chosen || {schema}.lock_ready(
            ARRAY(SELECT g FROM unnest(v_groups) g WHERE NOT g.others), now(), p_limit - cardinality(v_chosen), v_suspects);
    END IF;
    IF v_slept = v_half AND v_code IS NOT NULL AND cardinality(v_chosen) < p_limit THEN
        v_chosen := v_chosen || {schema}.lock_sleepers(
            v_code, p_namespaces, p_limit - cardinality(v_chosen), v_chosen, v_suspects);
    END IF;
    IF cardinality(v_chosen) < p_limit AND EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue') THEN
        v_chosen := v_chosen || {schema}.lock_lifted(
            p_workflows, p_versions, p_current, p_others, p_namespaces, v_waited, p_limit - cardinality(v_chosen), v_chosen,
            v_suspects);
    END IF;
    IF true = ANY (SELECT g.others FROM unnest(v_groups) g) THEN
        v_chosen := v_chosen || {schema}.lock_ready(
            ARRAY(SELECT g FROM unnest(v_groups) g WHERE g.others), v_waited, p_limit - cardinality(v_chosen), v_suspects);
    END IF;
    RETURN QUERY
    SELECT o.*, v_reached FROM {schema}.own_runs(p_worker, v_chosen, p_workflows, p_versions, p_current) o;
    IF NOT FOUND AND v_reached IS NOT NULL THEN
        -- They are locked, or left to those who try suspects.
        held := true;
        reached := v_reached;
        RETURN NEXT;
    END IF;
END
$$;

-- For nodes of earlier releases, which always begin with the first group.
CREATE OR REPLACE FUNCTION {schema}.claim_runs(
    p_worker bigint, p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[],
    p_limit integer, p_grace double precision, p_namespaces text[]
) RETURNS TABLE (id uuid, token bigint, workflow text, version text, namespace text, input bytea,
                 started_at timestamptz, attempt integer, trace_context text, fresh boolean, parent uuid,
                 depth integer, root uuid, held boolean)
LANGUAGE sql AS $$
    SELECT id, token, workflow, version, namespace, input, started_at, attempt, trace_context, fresh, parent, depth, root,
           held
    FROM {schema}.claim_in_turn(p_worker, p_workflows, p_versions, p_current, p_others, p_limit, p_grace, p_namespaces, NULL)
    WHERE id IS NOT NULL OR NOT held
$$;
