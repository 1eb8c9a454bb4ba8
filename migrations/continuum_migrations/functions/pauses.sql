-- Pauses: nothing of a paused run begins. A run that is paused by itself has no time at which claims would find it (see
-- tables/). One of a paused workflow or namespace is passed over by claims, which ask here while there are such pauses.

-- Whether runs of this workflow and namespace are paused together, except one whose pauses were lifted then.
CREATE OR REPLACE FUNCTION {schema}.paused_together(p_workflow text, p_namespace text, p_lifted timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM {schema}.pauses p
        WHERE (p.kind = 'workflow' AND p.name = p_workflow AND p.namespace IN ('', p_namespace)
               OR p.kind = 'namespace' AND p.name = p_namespace)
          AND (p_lifted IS NULL OR p.since > p_lifted));
END
$$;

-- Whether a run is paused, by itself or with others.
CREATE OR REPLACE FUNCTION {schema}.is_paused(p_run uuid) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
BEGIN
    RETURN (SELECT r.paused_at IS NOT NULL OR {schema}.paused_together(r.workflow, r.namespace, r.pause_lifted_at)
            FROM {schema}.runs r WHERE r.id = p_run);
END
$$;

-- Whether anything is paused that activity tasks belong to.
CREATE OR REPLACE FUNCTION {schema}.any_pause() RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM {schema}.pauses)
        OR EXISTS (SELECT FROM {schema}.runs r WHERE r.paused_at IS NOT NULL AND r.completed_at IS NULL);
END
$$;

-- Whether nobody may begin a task: its queue is paused, or its run.
CREATE OR REPLACE FUNCTION {schema}.is_task_paused(p_queue text, p_run uuid) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind = 'queue' AND p.name = p_queue) OR {schema}.is_paused(p_run);
END
$$;

-- The paused runs that workers own: these are to leave them.
CREATE OR REPLACE FUNCTION {schema}.paused_runs_of(p_workers bigint[]) RETURNS uuid[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_paused uuid[] := ARRAY(
        SELECT r.id FROM {schema}.runs r
        WHERE r.owner = ANY (p_workers) AND r.paused_at IS NOT NULL AND r.completed_at IS NULL);
BEGIN
    IF EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue') THEN
        v_paused := v_paused || ARRAY(
            WITH owned AS MATERIALIZED (
                SELECT r.id, r.workflow, r.namespace, r.pause_lifted_at FROM {schema}.runs r
                WHERE r.owner = ANY (p_workers) AND r.paused_at IS NULL
            ), paused AS MATERIALIZED (
                -- Asked once for each workflow: a worker may own ten thousand runs of a few.
                SELECT d.workflow, d.namespace FROM (SELECT DISTINCT o.workflow, o.namespace FROM owned o OFFSET 0) d
                WHERE {schema}.paused_together(d.workflow, d.namespace, NULL)
            )
            SELECT o.id FROM owned o
            WHERE (o.workflow, o.namespace) IN (SELECT p.workflow, p.namespace FROM paused p)
              AND (o.pause_lifted_at IS NULL OR {schema}.paused_together(o.workflow, o.namespace, o.pause_lifted_at)));
    END IF;
    RETURN v_paused;
END
$$;

-- Lock up to p_room runs that are due though their workflow or namespace is paused: they were asked to stop since.
CREATE OR REPLACE FUNCTION {schema}.lock_lifted(
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[], p_namespaces text[],
    p_waited timestamptz, p_room integer, p_locked uuid[], p_suspects boolean
) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
    RETURN ARRAY(
        SELECT x.id FROM {schema}.runs x
        WHERE x.pause_lifted_at IS NOT NULL AND x.completed_at IS NULL AND x.id <> ALL (p_locked)
          AND coalesce(x.ready_at, x.wakes_at) <= now()
          AND {schema}.may_go_on(x.id, x.workflow, x.version, x.namespace, x.refused, x.pause_lifted_at,
                                 p_workflows, p_versions, p_current,
                                 CASE WHEN coalesce(x.ready_at, x.wakes_at) <= p_waited THEN p_others END,
                                 p_namespaces, p_suspects)
        ORDER BY x.pause_lifted_at LIMIT p_room FOR UPDATE SKIP LOCKED);
END
$$;

-- When the next one of these is due, or earlier; NULL without one.
CREATE OR REPLACE FUNCTION {schema}.next_lifted(
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[], p_namespaces text[], p_suspects boolean
) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
    RETURN (
        SELECT min(coalesce(x.ready_at, x.wakes_at)) FROM {schema}.runs x
        WHERE x.pause_lifted_at IS NOT NULL AND x.completed_at IS NULL AND coalesce(x.ready_at, x.wakes_at) IS NOT NULL
          AND {schema}.may_go_on(x.id, x.workflow, x.version, x.namespace, x.refused, x.pause_lifted_at,
                                 p_workflows, p_versions, p_current, p_others, p_namespaces, p_suspects));
END
$$;

-- Whether a worker with this code may take a run of a paused workflow or namespace whose pauses were lifted. Others find it
-- like any other run once nothing is paused.
CREATE OR REPLACE FUNCTION {schema}.may_go_on(
    p_run uuid, p_workflow text, p_version text, p_namespace text, p_refused text[], p_lifted timestamptz,
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[], p_namespaces text[], p_suspects boolean
) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
BEGIN
    RETURN (p_namespaces IS NULL OR p_namespace = ANY (p_namespaces))
       AND EXISTS (SELECT FROM unnest(p_workflows, p_versions, p_current, p_others) AS c (workflow, version, is_current, others)
                   WHERE c.workflow = p_workflow
                     AND (CASE WHEN p_version IS NULL THEN c.is_current ELSE c.version = p_version END
                          OR p_version IS NOT NULL AND c.others AND c.version <> ALL (coalesce(p_refused, '{}'))))
       AND NOT (p_suspects AND {schema}.in_quarantine(p_run, p_workflow, '{}'))
       AND NOT {schema}.paused_together(p_workflow, p_namespace, p_lifted)
       AND {schema}.paused_together(p_workflow, p_namespace, NULL);
END
$$;

-- Lift the pauses of runs that are asked to stop and that the caller has locked: they continue to their end, and compensate.
CREATE OR REPLACE FUNCTION {schema}.lift_pauses(p_runs uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_lifted text[];
BEGIN
    IF NOT {schema}.any_pause() THEN
        RETURN;
    END IF;
    WITH lifted AS (
        UPDATE {schema}.runs r
        SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, pause_lifted_at = clock_timestamp()
        WHERE r.id = ANY (p_runs) AND r.state {is_open}
          AND (r.paused_at IS NOT NULL OR {schema}.paused_together(r.workflow, r.namespace, r.pause_lifted_at))
        RETURNING r.id
    )
    SELECT array_agg(l.id::text) INTO v_lifted FROM lifted l;
    IF v_lifted IS NOT NULL THEN
        PERFORM {schema}.let_continue(v_lifted::uuid[], v_lifted);
    END IF;
END
$$;

-- Free the tasks of locked runs that are no longer paused, and tell those who look for work, and the owners of p_told.
CREATE OR REPLACE FUNCTION {schema}.let_continue(p_runs uuid[], p_told text[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    UPDATE {schema}.tasks t SET held_by = NULL WHERE t.run_id = ANY (p_runs) AND t.held_by IS NOT NULL;
    IF p_told IS NOT NULL THEN
        PERFORM {schema}.notify_each('paused', p_told);
    END IF;
    PERFORM {schema}.notify('work', '{}');
    PERFORM {schema}.notify('tasks', '{}');
END
$$;

-- Pause those of these locked runs that are open and not paused by themselves, and return them.
CREATE OR REPLACE FUNCTION {schema}.pause_runs(p_runs uuid[], p_by text, p_reason text) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_paused uuid[];
    v_owned text[];
BEGIN
    WITH paused AS (
        UPDATE {schema}.runs r
        SET paused_at = clock_timestamp(), paused_by = p_by, pause_reason = p_reason, pause_lifted_at = NULL,
            updated_at = clock_timestamp()
        WHERE r.id = ANY (p_runs) AND r.state {is_open} AND r.paused_at IS NULL
        RETURNING r.id, r.owner
    )
    SELECT coalesce(array_agg(p.id), '{}'), array_agg(p.id::text) FILTER (WHERE p.owner IS NOT NULL)
    INTO v_paused, v_owned FROM paused p;
    IF v_owned IS NOT NULL THEN
        PERFORM {schema}.notify_each('paused', v_owned);
    END IF;
    RETURN v_paused;
END
$$;

-- Let those of these locked runs continue that are open and paused by themselves, and return them.
CREATE OR REPLACE FUNCTION {schema}.resume_runs(p_runs uuid[]) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_resumed uuid[];
    v_owned text[];
BEGIN
    WITH resumed AS (
        UPDATE {schema}.runs r
        SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, updated_at = clock_timestamp()
        WHERE r.id = ANY (p_runs) AND r.state {is_open} AND r.paused_at IS NOT NULL
        RETURNING r.id, r.owner
    )
    SELECT coalesce(array_agg(p.id), '{}'), array_agg(p.id::text) FILTER (WHERE p.owner IS NOT NULL)
    INTO v_resumed, v_owned FROM resumed p;
    IF v_resumed <> '{}' THEN
        PERFORM {schema}.let_continue(v_resumed, v_owned);
    END IF;
    RETURN v_resumed;
END
$$;

-- Lock the latest run of a chain, and return it; NULL without such a run.
CREATE OR REPLACE FUNCTION {schema}.lock_latest(p_run uuid) RETURNS uuid
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    v_run uuid := {schema}.latest_of_chain(p_run);
    v_next uuid;
BEGIN
    LOOP
        SELECT r.continued_to INTO v_next FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE;
        EXIT WHEN NOT FOUND OR v_next IS NULL;
        -- It continued as new while this waited for its lock.
        v_run := {schema}.latest_of_chain(v_run);
    END LOOP;
    RETURN v_run;
END
$$;

-- Pause the latest run of a chain, and return what became of that, the run, and its pause as it is now. Times are
-- microseconds. An open run that is not the one that was seen, or has changed since p_seen_at, stays as it is; NULL if nobody
-- has seen it.
CREATE OR REPLACE FUNCTION {schema}.pause_run(
    p_run uuid, p_by text, p_reason text, p_seen uuid, p_seen_at bigint, p_audit jsonb
) RETURNS TABLE (posted smallint, run uuid, since bigint, paused_by text, reason text)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    v_run uuid := {schema}.lock_latest(p_run);
    v_row record;
BEGIN
    SELECT r.* INTO v_row FROM {schema}.runs r WHERE r.id = v_run;
    IF NOT FOUND THEN
        posted := {posted.not_found};
    ELSIF v_row.state {is_terminal} THEN
        posted := {posted.terminal};
    ELSIF v_row.paused_at IS NOT NULL THEN
        posted := {posted.duplicate};
    ELSIF v_run <> p_seen
          OR (extract(epoch FROM CASE WHEN isfinite(v_row.updated_at) THEN v_row.updated_at END) * 1000000)::bigint <> p_seen_at THEN
        posted := {posted.stale};
    ELSE
        posted := {posted.accepted};
        PERFORM {schema}.pause_runs(ARRAY[v_run], p_by, p_reason);
    END IF;
    PERFORM {schema}.record_change(p_audit || jsonb_build_object('subject', coalesce(v_run, p_run)),
                                   {schema}.outcome_of_post(posted));
    RETURN QUERY
    SELECT posted, v_run,
           CASE WHEN x.paused_at IS NOT NULL THEN
               (extract(epoch FROM greatest(least(x.paused_at, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint END,
           x.paused_by, x.pause_reason
    FROM (VALUES (1)) AS one LEFT JOIN {schema}.runs x ON x.id = v_run;
END
$$;

-- Let the latest run of a chain continue, and return what became of that, and the run. Duplicate: it was not paused.
CREATE OR REPLACE FUNCTION {schema}.resume_run(p_run uuid, p_audit jsonb) RETURNS TABLE (posted smallint, run uuid)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    v_row record;
BEGIN
    run := {schema}.lock_latest(p_run);
    SELECT r.* INTO v_row FROM {schema}.runs r WHERE r.id = run;
    IF NOT FOUND THEN
        posted := {posted.not_found};
    ELSIF v_row.state {is_terminal} THEN
        posted := {posted.terminal};
    ELSIF v_row.paused_at IS NULL THEN
        posted := {posted.duplicate};
    ELSE
        posted := {posted.accepted};
        PERFORM {schema}.resume_runs(ARRAY[run]);
    END IF;
    PERFORM {schema}.record_change(p_audit || jsonb_build_object('subject', coalesce(run, p_run)),
                                   {schema}.outcome_of_post(posted));
    RETURN NEXT;
END
$$;

-- Pause a workflow, a queue or a namespace, and return whether it was not paused before, and its pause as it is now.
CREATE OR REPLACE FUNCTION {schema}.pause_together(
    p_kind text, p_name text, p_namespace text, p_by text, p_reason text, p_audit jsonb
) RETURNS TABLE (begun boolean, since bigint, paused_by text, reason text)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
BEGIN
    INSERT INTO {schema}.pauses (kind, name, namespace, paused_by, reason)
    VALUES (p_kind, p_name, p_namespace, p_by, p_reason) ON CONFLICT DO NOTHING;
    begun := FOUND;
    PERFORM {schema}.record_change(p_audit, CASE WHEN begun THEN 'done' ELSE 'already' END);
    PERFORM {schema}.notify('paused', '{}');
    RETURN QUERY
    SELECT begun, (extract(epoch FROM greatest(least(p.since, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint, p.paused_by,
           p.reason
    FROM {schema}.pauses p WHERE p.kind = p_kind AND p.name = p_name AND p.namespace = p_namespace;
END
$$;

-- End such a pause; false without it.
CREATE OR REPLACE FUNCTION {schema}.resume_together(p_kind text, p_name text, p_namespace text, p_audit jsonb) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    v_ended boolean;
BEGIN
    DELETE FROM {schema}.pauses p WHERE p.kind = p_kind AND p.name = p_name AND p.namespace = p_namespace;
    v_ended := FOUND;
    PERFORM {schema}.free_held_tasks();
    PERFORM {schema}.record_change(p_audit, CASE WHEN v_ended THEN 'done' ELSE 'already' END);
    IF v_ended THEN
        PERFORM {schema}.notify('paused', '{}');
        PERFORM {schema}.notify('work', '{}');
        PERFORM {schema}.notify('tasks', '{}');
    END IF;
    RETURN v_ended;
END
$$;

-- How many open runs and waiting tasks such a pause holds, each counted up to p_most among ten times as many rows; `more` if
-- there may be more.
CREATE OR REPLACE FUNCTION {schema}.held_by_pause(p_kind text, p_name text, p_namespace text, p_most integer)
RETURNS TABLE (runs bigint, more_runs boolean, tasks bigint, more_tasks boolean)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_rows integer := 10 * p_most;
    v_looked bigint := 0;
BEGIN
    runs := 0;
    CASE p_kind
    WHEN 'workflow' THEN
        -- A run has a version once it has begun.
        SELECT count(*) FILTER (WHERE p_namespace = '' OR f.namespace = p_namespace), count(*) INTO runs, v_looked FROM (
            SELECT r.namespace FROM {schema}.runs r
            WHERE r.completed_at IS NULL AND r.version IS NOT NULL AND r.workflow = p_name
            UNION ALL
            SELECT r.namespace FROM {schema}.runs r
            WHERE r.ready_at IS NOT NULL AND r.refused IS NULL AND r.workflow = p_name AND coalesce(r.version, '') = ''
            LIMIT v_rows + 1
        ) f;
    WHEN 'namespace' THEN
        SELECT count(*) FILTER (WHERE f.namespace = p_name), count(*) INTO runs, v_looked FROM (
            SELECT r.namespace FROM {schema}.runs r WHERE r.completed_at IS NULL AND r.version IS NOT NULL
            UNION ALL
            SELECT r.namespace FROM {schema}.runs r
            WHERE r.ready_at IS NOT NULL AND r.refused IS NULL AND coalesce(r.version, '') = ''
            LIMIT v_rows + 1
        ) f;
    ELSE
        NULL;
    END CASE;
    more_runs := runs > p_most OR v_looked > v_rows;
    runs := least(runs, p_most);
    -- The runs of no more tasks are read than are counted, if all are held. Without the offset the server would hash all
    -- runs of the workflow.
    SELECT count(*) INTO tasks FROM (
        SELECT FROM (
            SELECT t.queue, t.run_id FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NULL
            UNION ALL
            SELECT t.queue, t.run_id FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NOT NULL
            LIMIT v_rows
        ) f
        WHERE CASE p_kind
              WHEN 'queue' THEN f.queue = p_name
              ELSE EXISTS (SELECT FROM {schema}.runs r WHERE r.id = f.run_id AND CASE p_kind
                  WHEN 'workflow' THEN r.workflow = p_name AND (p_namespace = '' OR r.namespace = p_namespace)
                  ELSE r.namespace = p_name END OFFSET 0) END
        LIMIT p_most + 1
    ) l;
    more_tasks := tasks > p_most;
    IF NOT more_tasks THEN
        SELECT count(*) > v_rows INTO more_tasks FROM (
            SELECT FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NULL
            UNION ALL
            SELECT FROM {schema}.tasks t WHERE t.owner IS NULL AND t.held_by IS NOT NULL
            LIMIT v_rows + 1
        ) l;
    END IF;
    tasks := least(tasks, p_most);
    RETURN NEXT;
END
$$;
