-- The channel of one worker that lives and has the code of a run; NULL if there is none.
CREATE OR REPLACE FUNCTION {schema}.listener_for(p_workflow text, p_namespace text) RETURNS text
LANGUAGE sql
SET enable_seqscan = off
AS $$
    SELECT w.channel FROM {schema}.workers w JOIN {schema}.nodes n ON n.node = w.node
    WHERE w.channel IS NOT NULL AND n.state = 'up' AND p_workflow = ANY (n.workflows)
      AND (w.namespaces IS NULL OR p_namespace = ANY (w.namespaces))
      -- It has renewed its lease of late.
      AND clock_timestamp() < w.renewed_at + (w.expires_at - w.renewed_at) / 2
    ORDER BY random() LIMIT 1
$$;

-- Whether a run is left to the processes that try suspects, at this moment.
CREATE OR REPLACE FUNCTION {schema}.kept_apart(p_run uuid, p_workflow text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any})
        AND {schema}.in_quarantine(p_run, p_workflow, {schema}.deadly_workflows());
END
$$;

-- Announce runs without an owner that have mail and are due. A worker can resume a run that waits by itself before it owns
-- it, so that one is announced to one worker; several are claimed.
CREATE OR REPLACE FUNCTION {schema}.announce_mail(p_runs uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_channel text;
BEGIN
    IF cardinality(p_runs) = 1 THEN
        -- One that is paused is claimed by nobody, and is announced to nobody.
        SELECT {schema}.listener_for(r.workflow, r.namespace) INTO v_channel FROM {schema}.runs r
        WHERE r.id = p_runs[1] AND r.owner IS NULL AND r.paused_at IS NULL AND r.state = {state.suspended} AND r.depth = 0 AND r.parent_id IS NULL
          AND r.version IS NOT NULL AND r.refused IS NULL AND NOT {schema}.kept_apart(r.id, r.workflow)
          AND NOT (EXISTS (SELECT FROM {schema}.pauses) AND {schema}.paused_together(r.workflow, r.namespace, r.pause_lifted_at));
    END IF;
    IF v_channel IS NULL THEN
        PERFORM {schema}.notify('work', '{}');
    ELSE
        PERFORM pg_notify(v_channel, 'mail ' || p_runs[1]);
    END IF;
END
$$;

-- Make a worker the owner of runs that its writes resume. Nobody has owned such a run since it was read with this token, so
-- that its history is the same and its mail is there, perhaps with more. This waits for no run that somebody has locked.
CREATE OR REPLACE FUNCTION {schema}.resume_runs(
    p_worker bigint, p_batch bigint, p_run uuid[], p_token bigint[], p_before bigint[], p_version text[]
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_suspects boolean := EXISTS (SELECT FROM {schema}.suspects s WHERE s.level > {suspicion.any});
    v_deadly text[] := CASE WHEN v_suspects THEN {schema}.deadly_workflows() END;
    v_pauses boolean := EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue');
BEGIN
    IF NOT {schema}.may_commit(p_worker, p_batch) THEN
        RETURN;
    END IF;
    UPDATE {schema}.runs r
    SET owner = p_worker, token = f.token, state = {state.running}, due_at = NULL, asleep = false, claimed_at = clock_timestamp(),
        attempt = least(r.attempt, 2147483646) + 1, fresh = false, updated_at = clock_timestamp()
    FROM (
        SELECT l.id, t.token FROM unnest(p_run, p_token, p_before, p_version) AS t (run, token, before, version)
        CROSS JOIN LATERAL (
            SELECT x.id FROM {schema}.runs x
            WHERE x.id = t.run AND x.token = t.before AND x.owner IS NULL AND x.state = {state.suspended}
              AND x.version = t.version AND x.depth = 0 AND x.parent_id IS NULL AND x.refused IS NULL
              AND x.paused_at IS NULL
              AND NOT (v_pauses AND {schema}.paused_together(x.workflow, x.namespace, x.pause_lifted_at))
              AND NOT (v_suspects AND {schema}.in_quarantine(x.id, x.workflow, v_deadly))
            FOR NO KEY UPDATE SKIP LOCKED
        ) l
    ) f
    WHERE r.id = f.id;
END
$$;

-- A batch whose writes resume their runs. As in a batch that takes runs, none of its writes may be of another run.
CREATE OR REPLACE FUNCTION {schema}.commit_resuming_batch(
    p_worker bigint, p_batch bigint, p_runs {schema}.commit_runs, p_events {schema}.commit_events,
    p_consumed bigint[], p_transitions {schema}.commit_transitions, p_tasks {schema}.commit_tasks,
    p_dropped {schema}.commit_dropped, p_family {schema}.commit_family, p_limits {schema}.commit_task_limits,
    p_run uuid[], p_token bigint[], p_before bigint[], p_version text[]
) RETURNS TABLE (at timestamptz, rejected uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM {schema}.resume_runs(p_worker, p_batch, p_run, p_token, p_before, p_version);
    RETURN QUERY SELECT b.at, b.rejected FROM {schema}.commit_limited_batch(
        p_worker, p_batch, p_runs, p_events, p_consumed, p_transitions, p_tasks, p_dropped, p_family, p_limits) b;
END
$$;
