-- Suspect each of these of having killed this worker's process. One death counts once, however often it is reported.
CREATE OR REPLACE FUNCTION {schema}.suspect(
    p_worker bigint, p_run uuid[], p_seq integer[], p_least smallint
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {schema}.suspects AS s (run_id, seq, level, worker, lived)
    SELECT n.run, n.seq, p_least, p_worker, {schema}.seconds_lived(p_worker, n.run, n.seq)
    FROM (SELECT DISTINCT u.run, u.seq FROM unnest(p_run, p_seq) AS u (run, seq)) n
    ON CONFLICT (run_id, seq) DO UPDATE
    SET level = greatest(p_least, CASE WHEN s.since < clock_timestamp() - {limit.suspicion} * interval '1 second' THEN 1
                                       ELSE least(s.level + 1, {suspicion.alone}) END),
        acquittals = CASE WHEN s.since < clock_timestamp() - {limit.suspicion} * interval '1 second' THEN 0
                          -- It was acquitted, and then its process died.
                          WHEN s.level = {suspicion.none} THEN least(s.acquittals + 1, 100)
                          ELSE s.acquittals END,
        worker = excluded.worker, since = clock_timestamp(), lived = excluded.lived
    WHERE s.worker <> excluded.worker;
END
$$;

-- The level at which about half of so many suspects are tried together.
CREATE OR REPLACE FUNCTION {schema}.halved(p_suspects bigint) RETURNS smallint
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(max(l), {suspicion.many})::smallint FROM generate_series({suspicion.many}, {suspicion.alone}) l
    WHERE {limit.many_suspects} >> (l - {suspicion.many}) >= (p_suspects + 1) / 2
$$;

-- Suspect what has killed this worker's process as nothing else is: it is tried alone from now on.
CREATE OR REPLACE FUNCTION {schema}.convict(p_worker bigint, p_run uuid, p_seq integer, p_lived double precision)
RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
BEGIN
    PERFORM {schema}.suspect(p_worker, ARRAY[p_run], ARRAY[p_seq], {suspicion.alone}::smallint);
    UPDATE {schema}.suspects s SET killed_at = clock_timestamp(), lived = greatest(s.lived, p_lived)
    WHERE s.run_id = p_run AND s.seq = p_seq;
END
$$;

-- How long a run or task has been with its owner, which may have died long ago and has renewed its lease until then. What
-- kills a process mostly does so after the same time again.
CREATE OR REPLACE FUNCTION {schema}.seconds_lived(p_worker bigint, p_run uuid, p_seq integer) RETURNS double precision
LANGUAGE sql STABLE
SET enable_seqscan = off
AS $$
    SELECT greatest(0, coalesce(extract(epoch FROM (
        SELECT least(clock_timestamp(), w.expires_at) FROM {schema}.workers w WHERE w.id = p_worker
    ) - CASE
        WHEN p_seq = -1 THEN (SELECT r.claimed_at FROM {schema}.runs r WHERE r.id = p_run AND isfinite(r.claimed_at))
        ELSE (SELECT t.claimed_at FROM {schema}.tasks t WHERE t.run_id = p_run AND t.seq = p_seq AND isfinite(t.claimed_at))
        END), 0))::double precision
$$;

-- Find out what a dead worker died of, before it is retired. p_run, p_seq and p_dispatch name what is known to have
-- killed it: an attempt, which counts a crash, or the code of a run if p_seq is NULL. p_named is what executed when it
-- died, if that was more than one thing. With p_unexplained everything that it did is suspected, unless one suspect was
-- alone there: then that is it. Return the run against which the death is to be counted, if any.
CREATE OR REPLACE FUNCTION {schema}.blame(
    p_worker bigint, p_only_expired boolean, p_run uuid, p_seq integer, p_dispatch integer,
    p_named uuid[], p_named_seq integer[], p_unexplained boolean
) RETURNS uuid
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_run uuid := p_run;
    v_seq integer := p_seq;
    v_dispatch integer := p_dispatch;
    v_runs uuid[];
    v_seqs integer[];
    v_levels smallint[];
    v_alone integer;
    v_task boolean := false;
    v_owned boolean;
    v_lived double precision;
    v_before smallint;
BEGIN
    -- A commit in flight is waited for.
    PERFORM FROM {schema}.workers w
    WHERE w.id = p_worker AND (NOT p_only_expired OR w.expires_at <= clock_timestamp()) FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF p_unexplained THEN
        SELECT coalesce(array_agg(d.run_id), '{}'), coalesce(array_agg(d.seq), '{}'), coalesce(array_agg(d.level), '{}')
        INTO v_runs, v_seqs, v_levels FROM (
            SELECT o.run_id, o.seq, CASE WHEN s.since >= clock_timestamp() - {limit.suspicion} * interval '1 second'
                                         THEN s.level ELSE 0 END AS level FROM (
                SELECT r.id AS run_id, -1 AS seq FROM {schema}.runs r WHERE r.owner = p_worker AND r.state = {state.running}
                UNION ALL SELECT t.run_id, t.seq FROM {schema}.tasks t WHERE t.owner = p_worker
            ) o LEFT JOIN {schema}.suspects s ON s.run_id = o.run_id AND s.seq = o.seq
        ) d;
        IF (SELECT count(*) FROM unnest(v_levels) AS l WHERE l = {suspicion.alone}) = 1 THEN
            v_alone := array_position(v_levels, {suspicion.alone}::smallint);
            v_run := v_runs[v_alone];
            v_seq := nullif(v_seqs[v_alone], -1);
            v_dispatch := (SELECT t.dispatch FROM {schema}.tasks t WHERE t.run_id = v_run AND t.seq = v_seq);
        ELSE
            -- One of those on trial, or else of those that were there at a death before: next time half of them.
            v_before := CASE WHEN {suspicion.any} < ANY (v_levels) THEN {suspicion.many} ELSE {suspicion.any} END;
            PERFORM {schema}.suspect(p_worker, array_agg(d.run), array_agg(d.seq), {schema}.halved(count(*)))
            FROM unnest(v_runs, v_seqs, v_levels) AS d (run, seq, level) WHERE d.level >= v_before;
            PERFORM {schema}.suspect(p_worker, v_runs, v_seqs, {suspicion.any}::smallint);
        END IF;
    ELSIF cardinality(p_named) > 0 THEN
        SELECT array_agg(n.run), array_agg(
            CASE WHEN EXISTS (SELECT FROM {schema}.tasks t WHERE t.run_id = n.run AND t.seq = n.seq) THEN n.seq ELSE -1 END)
        INTO v_runs, v_seqs FROM unnest(p_named, p_named_seq) AS n (run, seq);
        PERFORM {schema}.suspect(p_worker, v_runs, v_seqs, {schema}.halved(cardinality(v_runs)));
    END IF;
    IF v_run IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT r.owner IS NOT DISTINCT FROM p_worker INTO v_owned FROM {schema}.runs r
    WHERE r.id = v_run AND r.state {is_active} FOR NO KEY UPDATE;
    IF v_seq IS NULL THEN
        IF v_owned THEN
            PERFORM {schema}.convict(p_worker, v_run, -1, {schema}.seconds_lived(p_worker, v_run, -1));
            RETURN v_run;
        END IF;
        RETURN NULL;
    END IF;
    v_lived := {schema}.seconds_lived(p_worker, v_run, CASE WHEN EXISTS (
        SELECT FROM {schema}.tasks t WHERE t.run_id = v_run AND t.seq = v_seq) THEN v_seq ELSE -1 END);
    -- A task whose time was over is left to the retirement, which reports that.
    DELETE FROM {schema}.tasks t
    WHERE t.run_id = v_run AND t.seq = v_seq AND t.dispatch = v_dispatch AND t.owner = p_worker
      AND NOT (t.timeout > 0 AND clock_timestamp() >= t.claimed_at + t.timeout * interval '1 second');
    v_task := FOUND;
    IF v_task OR (v_owned AND NOT EXISTS (SELECT FROM {schema}.tasks t WHERE t.run_id = v_run AND t.seq = v_seq)) THEN
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        VALUES (v_run, {kind.activity_crashed}, v_seq::text, v_dispatch::text, '') ON CONFLICT DO NOTHING;
        PERFORM {schema}.wake_runs(ARRAY[v_run]);
        PERFORM {schema}.convict(p_worker, v_run, CASE WHEN v_task THEN v_seq ELSE -1 END, v_lived);
    END IF;
    RETURN NULL;
END
$$;

-- Own a group of suspects of one level that are due and whose code the worker has loaded: a few, or one alone.
CREATE OR REPLACE FUNCTION {schema}.claim_suspects(
    p_worker bigint, p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[], p_namespaces text[]
) RETURNS TABLE (id uuid, token bigint, workflow text, version text, namespace text, input bytea,
                 started_at timestamptz, attempt integer, trace_context text, fresh boolean, parent uuid,
                 depth integer, root uuid, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_level smallint;
    v_chosen uuid[];
BEGIN
    PERFORM FROM {schema}.workers w WHERE w.id = p_worker AND w.expires_at > clock_timestamp();
    IF NOT FOUND THEN
        held := false;
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT w.level INTO v_level FROM {schema}.waiting_suspects(p_workflows, p_versions, p_current, p_others, p_namespaces) w
    ORDER BY w.level, w.since LIMIT 1;
    v_chosen := ARRAY(
        SELECT x.id FROM {schema}.waiting_suspects(p_workflows, p_versions, p_current, p_others, p_namespaces) w
        JOIN {schema}.runs x ON x.id = w.run_id AND x.owner IS NULL AND x.paused_at IS NULL AND x.state {is_active}
                            AND x.due_at <= now()
        WHERE w.level = v_level ORDER BY w.since
        LIMIT {limit.many_suspects} >> (v_level - {suspicion.many})
        FOR UPDATE OF x SKIP LOCKED);
    RETURN QUERY SELECT * FROM {schema}.own_runs(p_worker, v_chosen, p_workflows, p_versions, p_current);
END
$$;

-- Own runs of the workflows that are kept apart because their runs have killed processes, except the suspects.
CREATE OR REPLACE FUNCTION {schema}.claim_deadly(
    p_worker bigint, p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[], p_limit integer,
    p_namespaces text[]
) RETURNS TABLE (id uuid, token bigint, workflow text, version text, namespace text, input bytea,
                 started_at timestamptz, attempt integer, trace_context text, fresh boolean, parent uuid,
                 depth integer, root uuid, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_deadly text[];
    v_chosen uuid[];
BEGIN
    PERFORM FROM {schema}.workers w WHERE w.id = p_worker AND w.expires_at > clock_timestamp();
    IF NOT FOUND THEN
        held := false;
        RETURN NEXT;
        RETURN;
    END IF;
    v_deadly := {schema}.deadly_workflows();
    IF cardinality(v_deadly) = 0 THEN
        RETURN;
    END IF;
    -- Those that have slept until now become ready first.
    UPDATE {schema}.runs r SET asleep = false WHERE r.id = ANY (ARRAY(
        SELECT x.id FROM {schema}.runs x WHERE x.wakes_at <= now() AND x.workflow = ANY (v_deadly)
        ORDER BY x.wakes_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
    v_chosen := ARRAY(
        SELECT r.id FROM unnest(v_deadly) AS d (workflow)
        CROSS JOIN LATERAL (
            SELECT x.id FROM {schema}.runs x
            WHERE x.ready_at <= now() AND x.refused IS NULL AND x.workflow = d.workflow
              AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
              AND NOT {schema}.in_quarantine(x.id, x.workflow, '{}')
              AND NOT {schema}.paused_together(x.workflow, x.namespace, x.pause_lifted_at)
              AND EXISTS (SELECT FROM unnest(p_workflows, p_versions, p_current, p_others)
                              AS c (workflow, version, is_current, others)
                          WHERE c.workflow = x.workflow
                            AND (c.version = x.version OR c.others OR (x.version IS NULL AND c.is_current)))
            LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r LIMIT p_limit);
    RETURN QUERY SELECT * FROM {schema}.own_runs(p_worker, v_chosen, p_workflows, p_versions, p_current);
END
$$;

-- The suspects among runs that such a claim takes.
CREATE OR REPLACE FUNCTION {schema}.waiting_suspects(
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[], p_namespaces text[]
) RETURNS TABLE (run_id uuid, level smallint, since timestamptz)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    SELECT s.run_id, s.level, s.since FROM {schema}.suspects s
    JOIN {schema}.runs x ON x.id = s.run_id AND x.owner IS NULL AND x.state {is_active} AND x.due_at <= now()
                        AND NOT {schema}.is_paused(x.id)
    WHERE s.seq = -1 AND s.level > {suspicion.any} AND (p_namespaces IS NULL OR x.namespace = ANY (p_namespaces))
      AND EXISTS (SELECT FROM unnest(p_workflows, p_versions, p_current, p_others) AS c (workflow, version, is_current, others)
                  WHERE c.workflow = x.workflow
                    AND (c.version = x.version OR c.others OR (x.version IS NULL AND c.is_current)))
$$;

-- The suspects among tasks that such a claim takes.
CREATE OR REPLACE FUNCTION {schema}.waiting_suspected_tasks(p_node text, p_activities text[], p_namespaces text[])
RETURNS TABLE (run_id uuid, seq integer, level smallint, since timestamptz)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    SELECT s.run_id, s.seq, s.level, s.since FROM {schema}.suspects s
    JOIN {schema}.tasks t ON t.run_id = s.run_id AND t.seq = s.seq
    WHERE s.seq >= 0 AND s.level > {suspicion.any} AND t.owner IS NULL AND NOT t.isolated AND t.due_at <= now()
      AND t.activity = ANY (p_activities) AND (t.node IS NULL OR t.node = p_node)
      AND NOT {schema}.is_task_paused(t.queue, t.run_id)
      AND (p_namespaces IS NULL
           OR (SELECT r.namespace FROM {schema}.runs r WHERE r.id = t.run_id) = ANY (p_namespaces))
$$;

-- Claim suspected tasks of one level: a few, or one alone.
CREATE OR REPLACE FUNCTION {schema}.claim_suspected_tasks(
    p_worker bigint, p_activities text[], p_namespaces text[]
) RETURNS TABLE (run_id uuid, seq integer, dispatch integer, attempt integer, queue text, activity text,
                 arguments bytea, timeout double precision, key text, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_node text;
    v_level smallint;
BEGIN
    SELECT w.node INTO v_node FROM {schema}.workers w
    WHERE w.id = p_worker AND w.expires_at > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT NULL::uuid, NULL::integer, NULL::integer, NULL::integer, NULL::text, NULL::text,
                            NULL::bytea, NULL::double precision, NULL::text, false;
        RETURN;
    END IF;
    SELECT w.level INTO v_level FROM {schema}.waiting_suspected_tasks(v_node, p_activities, p_namespaces) w
    ORDER BY w.level LIMIT 1;
    RETURN QUERY
    WITH chosen AS (
        SELECT t.run_id, t.seq FROM {schema}.waiting_suspected_tasks(v_node, p_activities, p_namespaces) w
        JOIN {schema}.tasks t ON t.run_id = w.run_id AND t.seq = w.seq AND t.owner IS NULL
        WHERE w.level = v_level ORDER BY w.since
        LIMIT {limit.many_suspects} >> (v_level - {suspicion.many})
        FOR UPDATE OF t SKIP LOCKED
    )
    UPDATE {schema}.tasks AS t SET owner = p_worker, claimed_at = clock_timestamp(), held_by = NULL
    FROM chosen c WHERE t.run_id = c.run_id AND t.seq = c.seq
    RETURNING t.run_id, t.seq, t.dispatch, t.attempt, t.queue, t.activity, t.arguments, t.timeout, t.key, true;
END
$$;

-- Whether any run or task in quarantine is due and has no owner, or a workflow is kept apart.
CREATE OR REPLACE FUNCTION {schema}.suspects_wait() RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN cardinality({schema}.deadly_workflows()) > 0
        OR EXISTS (SELECT FROM {schema}.suspects s JOIN {schema}.runs r ON r.id = s.run_id AND r.state {is_active}
                   WHERE s.level > {suspicion.any}
                     AND CASE WHEN s.seq = -1
                              THEN r.owner IS NULL AND r.due_at <= clock_timestamp() AND NOT {schema}.is_paused(r.id)
                              ELSE EXISTS (SELECT FROM {schema}.tasks t
                                           WHERE t.run_id = s.run_id AND t.seq = s.seq AND t.owner IS NULL
                                             AND NOT {schema}.is_task_paused(t.queue, t.run_id)) END);
END
$$;
