-- Runs that something else than their code ends are kept as long as their code would have said; claims that find
-- nothing write nothing; ends with a retention and batches of one generation cost no more than others; posts and
-- removals wait for nothing that others may hold who wait for them.

-- In seconds; NULL for ever.
ALTER TABLE {schema}.versions ADD COLUMN retention double precision;

-- Until when a run is kept that ends now, from outside; while it has no version the latest of its workflow counts.
-- More than 3e9 seconds, a hundred years, is for ever: what is added to the time must leave a time.
CREATE FUNCTION {schema}.retained_from_now(p_workflow text, p_version text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN v.retention < 3e9 THEN clock_timestamp() + v.retention * interval '1 second' END
    FROM {schema}.versions v
    WHERE v.workflow = p_workflow AND (p_version IS NULL OR v.version = p_version)
    ORDER BY v.registered_at DESC, length(v.label) DESC, v.label DESC LIMIT 1
$$;

-- Put a cancel request into the inboxes of runs that are locked. A blocked one ends at once, for its code cannot
-- run; those are returned, and whoever asks concludes them.
CREATE OR REPLACE FUNCTION {schema}.ask_to_stop(
    p_runs uuid[], p_name text, p_done_topic text, p_work_topic text, p_wake_topic text
) RETURNS uuid[]
LANGUAGE plpgsql AS $$
DECLARE
    v_ended uuid[];
    v_mailed uuid[];
BEGIN
    WITH ended AS (
        UPDATE {schema}.runs r
        SET state = 6, due_at = NULL, reason = CASE WHEN p_name = 'parent' THEN 'parent_cancelled' END,
            updated_at = clock_timestamp(), completed_at = clock_timestamp(),
            retain_until = {schema}.retained_from_now(r.workflow, r.version)
        WHERE r.id = ANY (p_runs) AND r.state = 3 RETURNING r.id
    )
    SELECT coalesce(array_agg(e.id), '{}') INTO v_ended FROM ended e;
    IF cardinality(v_ended) > 0 THEN
        DELETE FROM {schema}.tasks t WHERE t.run_id = ANY (v_ended);
        PERFORM {schema}.hint(p_done_topic, v_ended::text[]);
    END IF;
    WITH mailed AS (
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT r.id, 6, p_name, 'cancel', '' FROM {schema}.runs r
        WHERE r.id = ANY (p_runs) AND r.state <= 2 ORDER BY r.id
        ON CONFLICT DO NOTHING RETURNING run_id
    )
    SELECT array_agg(m.run_id) INTO v_mailed FROM mailed m;
    IF v_mailed IS NOT NULL THEN
        PERFORM {schema}.rouse(v_mailed, p_work_topic, p_wake_topic);
    END IF;
    RETURN v_ended;
END
$$;

-- End the run that a chain has come to, and its descendants but the abandoned, generation by generation.
-- 1 accepted, 3 not found, 4 terminal.
CREATE OR REPLACE FUNCTION {schema}.force_cancel(
    p_run uuid, p_done_topic text, p_work_topic text, p_wake_topic text
) RETURNS smallint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_run uuid := {schema}.tip(p_run);
    v_next uuid;
    v_state smallint;
    v_ending uuid[];
    v_ended uuid[] := '{}';
BEGIN
    LOOP
        PERFORM FROM {schema}.runs p WHERE p.id = (SELECT r.parent_id FROM {schema}.runs r WHERE r.id = v_run)
        FOR NO KEY UPDATE;
        SELECT r.state, r.continued_to INTO v_state, v_next FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE;
        EXIT WHEN v_next IS NULL;
        v_run := {schema}.tip(v_run);
    END LOOP;
    IF v_state IS NULL THEN
        RETURN 3;
    ELSIF v_state >= 4 THEN
        RETURN 4;
    END IF;
    v_ending := ARRAY[v_run];
    WHILE cardinality(v_ending) > 0 LOOP
        UPDATE {schema}.runs r
        SET state = 6, owner = NULL, due_at = NULL, token = nextval('{schema}.fencing_token'),
            reason = CASE WHEN r.id <> v_run THEN 'parent_cancelled' END,
            updated_at = clock_timestamp(), completed_at = clock_timestamp(),
            retain_until = {schema}.retained_from_now(r.workflow, r.version)
        WHERE r.id = ANY (v_ending) AND r.state <= 3;
        v_ended := v_ended || v_ending;
        v_ending := {schema}.lock_children(v_ending, true);
    END LOOP;
    DELETE FROM {schema}.tasks t WHERE t.run_id = ANY (v_ended);
    PERFORM {schema}.conclude(ARRAY[v_run], p_done_topic, p_work_topic, p_wake_topic);
    PERFORM {schema}.hint(p_done_topic, v_ended::text[]);
    -- The mark tells a host that the run is no longer its own, where a plain id means mail; so every id is told.
    FOR i IN 0 .. (cardinality(v_ended) - 1) / 190 LOOP
        PERFORM {schema}.hint(p_wake_topic, ARRAY(
            SELECT '!' || e.id FROM unnest(v_ended[i * 190 + 1 : i * 190 + 190]) AS e (id)));
    END LOOP;
    RETURN 1;
END
$$;

-- When the first run is due that has other code than is loaded and was not refused by any, of workflows whose code
-- takes others. One step through an index for each version that such runs have.
CREATE FUNCTION {schema}.untried_due(p_workflows text[], p_versions text[], p_others boolean[])
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
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
                WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = c.workflow
                  AND x.version IS NOT NULL
                ORDER BY x.version, x.due_at LIMIT 1
            ) n
            UNION ALL
            SELECT f.workflow, n.version, n.due_at FROM first f
            CROSS JOIN LATERAL (
                SELECT x.version, x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = f.workflow
                  AND x.version > f.version
                ORDER BY x.version, x.due_at LIMIT 1
            ) n
        )
        SELECT min(f.due_at) FROM first f WHERE (f.workflow, f.version) NOT IN (
            SELECT u.workflow, u.version FROM unnest(p_workflows, p_versions) AS u (workflow, version)));
END
$$;

-- Own up to p_limit runs that are due and whose code the worker has loaded, then, if there is room, runs of other
-- versions that have waited for p_grace and that its code has not refused. A run that has mail and no owner is due
-- (see post), so due times are all there is to look at. "version" comes first in the orders because
-- "is null" does not tell the planner that the index gives them.
CREATE OR REPLACE FUNCTION {schema}.claim_runs(
    p_worker bigint, p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[],
    p_limit integer, p_grace double precision
) RETURNS TABLE (id uuid, token bigint, workflow text, version text, namespace text, input bytea,
                 started_at timestamptz, attempt integer, trace_context text, fresh boolean, parent uuid,
                 depth integer, root uuid, held boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_chosen uuid[] := '{}';
    v_foreign uuid[];
    v_refused boolean;
    v_waited timestamptz := now() - p_grace * interval '1 second';
BEGIN
    SELECT EXISTS (SELECT FROM {schema}.runs x WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NOT NULL)
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
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = c.workflow
              AND x.version IS NULL AND x.due_at <= now()
            ORDER BY x.version, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r WHERE c.is_current
    ), known AS MATERIALIZED (
        SELECT r.id, r.due_at FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = c.workflow
              AND x.version = c.version AND x.due_at <= now()
            ORDER BY x.version, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r
    ), refused AS MATERIALIZED (
        -- By other code than theirs. In no order: there are several groups.
        SELECT r.id, r.due_at FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.id, x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NOT NULL AND x.workflow = c.workflow
              AND x.version = c.version AND x.due_at <= now()
            LIMIT p_limit FOR UPDATE SKIP LOCKED
        ) r WHERE v_refused
    ), due AS (
        SELECT * FROM unversioned UNION SELECT * FROM known UNION SELECT * FROM refused
    )
    SELECT coalesce(array_agg(d.id), '{}') INTO v_chosen
    FROM (SELECT due.id FROM due ORDER BY due.due_at LIMIT p_limit) d;

    IF cardinality(v_chosen) < p_limit
       AND (v_refused OR {schema}.untried_due(p_workflows, p_versions, p_others) <= v_waited) THEN
        WITH groups AS MATERIALIZED (
            SELECT g.workflow, g.version, g.refused FROM {schema}.foreign_groups(p_workflows, p_versions, p_others) g
        ), untried AS MATERIALIZED (
            SELECT r.id, r.due_at FROM groups g
            CROSS JOIN LATERAL (
                SELECT x.id, x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = g.workflow
                  AND x.version = g.version AND x.due_at <= v_waited
                ORDER BY x.version, x.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED
            ) r WHERE g.refused IS NULL
        ), tried AS MATERIALIZED (
            SELECT r.id, r.due_at FROM groups g
            CROSS JOIN LATERAL (
                SELECT x.id, x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state <= 2 AND x.refused = g.refused AND x.workflow = g.workflow
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

    IF cardinality(v_chosen) = 0 THEN
        -- Nothing is locked either: a claim that finds nothing writes nothing.
        RETURN;
    END IF;
    -- Whoever takes the lease away from now on waits for us. Who has begun to is not waited for, because we hold
    -- runs already, and they come after the worker in everybody's order; what becomes of it, the next claim says.
    PERFORM FROM {schema}.workers w WHERE w.id = p_worker AND w.expires_at > clock_timestamp()
    FOR KEY SHARE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    UPDATE {schema}.runs AS r
    SET owner = p_worker, token = nextval('{schema}.fencing_token'), state = 1, due_at = NULL,
        attempt = r.attempt + 1, fresh = false, updated_at = clock_timestamp(),
        version = coalesce(r.version, (SELECT c.version FROM unnest(p_workflows, p_versions, p_current)
                                           AS c (workflow, version, is_current)
                                       WHERE c.workflow = r.workflow AND c.is_current LIMIT 1))
    FROM unnest(v_chosen) AS chosen (id)
    WHERE r.id = chosen.id
    RETURNING r.id, r.token, r.workflow, r.version, r.namespace, r.input, r.started_at, r.attempt, r.trace_context,
              r.attempt = 1 AND NOT EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id),
              r.parent_id, r.depth, coalesce(r.root, r.id), true;
END
$$;

-- When the next run that nobody owns and the code may claim is due; in step with claim_runs.
CREATE OR REPLACE FUNCTION {schema}.next_due(
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[], p_grace double precision
) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_due timestamptz;
BEGIN
    v_due := least((
        SELECT min(r.due_at) FROM unnest(p_workflows, p_current) AS c (workflow, is_current)
        CROSS JOIN LATERAL (
            SELECT x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = c.workflow
              AND x.version IS NULL AND x.due_at IS NOT NULL
            ORDER BY x.version, x.due_at LIMIT 1
        ) r WHERE c.is_current
    ), (
        SELECT min(r.due_at) FROM unnest(p_workflows, p_versions) AS c (workflow, version)
        CROSS JOIN LATERAL (
            SELECT x.due_at FROM {schema}.runs x
            WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NULL AND x.workflow = c.workflow
              AND x.version = c.version AND x.due_at IS NOT NULL
            ORDER BY x.version, x.due_at LIMIT 1
        ) r
    ), {schema}.untried_due(p_workflows, p_versions, p_others) + p_grace * interval '1 second');
    IF EXISTS (SELECT FROM {schema}.runs x WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NOT NULL) THEN
        v_due := least(v_due, (
            SELECT min(r.due_at) FROM unnest(p_workflows, p_versions) AS c (workflow, version)
            CROSS JOIN LATERAL (
                SELECT min(x.due_at) AS due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state <= 2 AND x.refused IS NOT NULL AND x.workflow = c.workflow
                  AND x.version = c.version
            ) r
        ), (
            SELECT min(r.due_at) + p_grace * interval '1 second'
            FROM {schema}.foreign_groups(p_workflows, p_versions, p_others) g
            CROSS JOIN LATERAL (
                SELECT x.due_at FROM {schema}.runs x
                WHERE x.owner IS NULL AND x.state <= 2 AND x.refused = g.refused
                  AND x.workflow = g.workflow AND x.version = g.version AND x.due_at IS NOT NULL
                ORDER BY x.version, x.refused, x.due_at LIMIT 1
            ) r WHERE g.refused IS NOT NULL
        ));
    END IF;
    RETURN v_due;
END
$$;

-- The one write path of run owners. The worker's row is locked by its update, so that
-- whoever takes the lease away waits for us, or we find no row after it; then every run
-- is locked, parents first and by id, and its token compared. Indexes are forced: a plan made
-- while the tables were small would scan them for ever. A batch without `p_more.depths` has runs of
-- one depth only, whose ends their parents need not be locked for.
CREATE OR REPLACE FUNCTION {schema}.commit_batch(
    p_worker bigint, p_batch bigint,
    p_runs uuid[], p_tokens bigint[],
    e_run uuid[], e_seq integer[], e_type smallint[], e_at timestamptz[], e_payload bytea[],
    p_consumed bigint[],
    t_run uuid[], t_state smallint[], t_due timestamptz[], t_release boolean[],
    t_result bytea[], t_error bytea[], t_reason text[], t_progress boolean[],
    k_run uuid[], k_seq integer[], k_dispatch integer[], k_attempt integer[], k_queue text[], k_priority integer[],
    k_isolated boolean[], k_activity text[], k_arguments bytea[], k_timeout double precision[], k_key text[],
    k_node text[],
    d_run uuid[], d_seq integer[],
    p_done_topic text, p_tasks_topic text, p_work_topic text, p_wake_topic text, p_more {schema}.composition
) RETURNS TABLE (at timestamptz, rejected uuid[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_held uuid[];
    v_all boolean;
    v_family boolean;
    -- A row "is not null" only when all of its fields are.
    v_composed boolean := NOT (p_more IS NULL);
    -- Of the transitions, in their order. A list that names its runs comes from a node of the release before.
    v_retention double precision[] := CASE WHEN cardinality(p_more.r_run) = 0 THEN p_more.r_seconds END;
    v_now timestamptz;
    v_ended uuid[];
BEGIN
    UPDATE {schema}.workers SET batch = p_batch
    WHERE id = p_worker AND batch < p_batch AND expires_at > clock_timestamp();
    IF NOT FOUND THEN
        -- A batch whose answer was lost is asked for again; it was applied, so only its outcome is told.
        RETURN QUERY
        SELECT clock_timestamp(), ARRAY(
            SELECT u.id FROM unnest(p_runs, p_tokens) AS u (id, token)
            WHERE u.token <> -1
              AND NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = u.id AND r.token = u.token))
        FROM {schema}.workers w WHERE w.id = p_worker AND w.batch = p_batch;
        RETURN;
    END IF;

    IF cardinality(p_more.depths) > 0 THEN
        v_held := {schema}.lock_generations(p_worker, p_runs, p_tokens, t_run, t_state, p_more);
        v_family := true;
        v_all := NOT EXISTS (SELECT FROM unnest(p_runs, p_tokens) AS u (id, token)
                             WHERE u.token <> -1 AND u.id <> ALL (v_held));
    ELSE
        SELECT coalesce(array_agg(h.id), '{}'), bool_or(h.family) INTO v_held, v_family FROM (
            SELECT r.id, r.family
            FROM unnest(p_runs, p_tokens) AS u (id, token)
            CROSS JOIN LATERAL (
                SELECT x.id, x.has_children OR x.parent_seq IS NOT NULL AS family FROM {schema}.runs x
                -- Not "=", which would let the plan look through all that the worker owns for each run.
                WHERE x.id = u.id AND x.token = u.token AND x.owner IS NOT DISTINCT FROM p_worker
                FOR NO KEY UPDATE
            ) r
        ) h;
        v_all := cardinality(v_held) = cardinality(p_runs);
    END IF;

    IF cardinality(e_run) > 0 THEN
        INSERT INTO {schema}.events (run_id, seq, type, at, payload)
        SELECT e.run_id, e.seq, e.type, e.at, e.payload
        FROM unnest(e_run, e_seq, e_type, e_at, e_payload) AS e (run_id, seq, type, at, payload)
        WHERE v_all OR e.run_id = ANY (v_held);
    END IF;

    IF cardinality(p_consumed) > 0 THEN
        DELETE FROM {schema}.inbox i WHERE i.id = ANY (p_consumed) AND (v_all OR i.run_id = ANY (v_held));
    END IF;

    IF cardinality(d_run) > 0 THEN
        DELETE FROM {schema}.tasks t USING unnest(d_run, d_seq) AS d (run_id, seq)
        WHERE t.run_id = d.run_id AND t.seq = d.seq AND (v_all OR d.run_id = ANY (v_held));
    END IF;

    IF cardinality(k_run) > 0 THEN
        INSERT INTO {schema}.tasks (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments,
                                    timeout, key, node)
        SELECT k.* FROM unnest(k_run, k_seq, k_dispatch, k_attempt, k_queue, k_priority, k_isolated, k_activity,
                               k_arguments, k_timeout, k_key, k_node)
            AS k (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments, timeout, key, node)
        WHERE v_all OR k.run_id = ANY (v_held)
        ON CONFLICT (run_id, seq) DO UPDATE SET dispatch = excluded.dispatch, attempt = excluded.attempt,
            node = excluded.node, owner = NULL, due_at = clock_timestamp(), claimed_at = NULL
            WHERE tasks.dispatch < excluded.dispatch;
        PERFORM {schema}.hint(p_tasks_topic, '{}');
    END IF;

    IF cardinality(t_run) > 0 THEN
        v_now := clock_timestamp();
        UPDATE {schema}.runs r
        SET state = t.state,
            -- Mail that waits for a run nobody owns makes it due, also mail that came during the release.
            due_at = CASE WHEN t.release AND EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id)
                          THEN v_now ELSE t.due END,
            owner = CASE WHEN t.release OR t.state >= 3 THEN NULL ELSE r.owner END,
            result = t.result,
            error = t.error,
            reason = t.reason,
            deaths = CASE WHEN t.progress THEN 0 ELSE r.deaths END,
            fresh = false,
            updated_at = v_now,
            completed_at = CASE WHEN t.state >= 4 THEN v_now END,
            retain_until = CASE WHEN t.state >= 4 AND t.retention < 3e9
                                THEN v_now + t.retention * interval '1 second' END
        FROM unnest(t_run, t_state, t_due, t_release, t_result, t_error, t_reason, t_progress, v_retention)
            AS t (run_id, state, due, release, result, error, reason, progress, retention)
        WHERE r.id = t.run_id AND (v_all OR t.run_id = ANY (v_held));
        IF true = ANY (t_release) THEN
            IF EXISTS (
                SELECT FROM unnest(t_run, t_release) AS t (run_id, release) JOIN {schema}.runs r ON r.id = t.run_id
                WHERE t.release AND r.due_at < clock_timestamp() + interval '15 seconds'
            ) THEN
                -- Whoever naps until something later is due must hear of it.
                PERFORM {schema}.hint(p_work_topic, '{}');
            END IF;
        END IF;
    END IF;

    IF v_composed THEN
        PERFORM {schema}.compose(p_more, v_held, p_done_topic, p_work_topic, p_wake_topic);
    END IF;

    IF 4 <= ANY (t_state) THEN
        v_ended := ARRAY(
            SELECT t.run_id FROM unnest(t_run, t_state) AS t (run_id, state)
            WHERE t.state >= 4 AND (v_all OR t.run_id = ANY (v_held)));
        DELETE FROM {schema}.tasks k WHERE k.run_id = ANY (v_ended);
        PERFORM {schema}.hint(p_done_topic, v_ended::text[]);
        IF v_family THEN
            PERFORM {schema}.conclude(v_ended, p_done_topic, p_work_topic, p_wake_topic);
        END IF;
    END IF;

    at := clock_timestamp();
    rejected := '{}';
    IF NOT v_all THEN
        rejected := ARRAY(
            SELECT u.id FROM unnest(p_runs, p_tokens) AS u (id, token)
            WHERE u.token <> -1 AND u.id <> ALL (v_held));
    END IF;
    RETURN NEXT;
END
$$;

-- Put something into a run's inbox. 1 accepted, 2 duplicate, 3 not found, 4 terminal. Signals and cancel requests are
-- for the run that the chain has come to; delivery ids are the chain's. A serialization failure asks to ask again.
CREATE OR REPLACE FUNCTION {schema}.post(
    p_run uuid[], p_kind smallint[], p_name text[], p_key text[], p_payload bytea[], p_signal smallint,
    p_cancel smallint, p_wake_topic text, p_work_topic text, p_done_topic text
) RETURNS smallint[]
LANGUAGE plpgsql
AS $$
DECLARE
    v_answers smallint[] := '{}';
    v_owned text[] := '{}';
    v_free boolean := false;
    v_follows boolean;
    v_run uuid;
    v_next uuid;
    v_root uuid;
    v_state smallint;
    v_owner bigint;
BEGIN
    IF cardinality(p_run) > 1 OR p_cancel = ANY (p_kind) THEN
        -- In everybody's order, and before a run that ends here the parent that hears of it.
        PERFORM FROM {schema}.runs r WHERE r.id IN (
            SELECT {schema}.tip(u.id) FROM unnest(p_run) AS u (id)
            UNION SELECT t.parent_id FROM unnest(p_run, p_kind) AS u (id, kind)
                  JOIN {schema}.runs t ON t.id = {schema}.tip(u.id) WHERE u.kind = p_cancel)
        ORDER BY r.depth, r.id FOR NO KEY UPDATE;
    END IF;
    FOR i IN 1 .. cardinality(p_run) LOOP
        v_follows := p_kind[i] IN (p_signal, p_cancel);
        v_run := p_run[i];
        LOOP
            -- Waits for the owner's commit in flight, so that nothing is put into a run that ends meanwhile,
            -- and so that one that continues as new is followed.
            SELECT r.state, r.owner, coalesce(r.root, r.id), r.continued_to INTO v_state, v_owner, v_root, v_next
            FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE;
            EXIT WHEN NOT FOUND OR v_next IS NULL OR NOT v_follows;
            v_run := {schema}.tip(v_run);
            IF cardinality(p_run) > 1 THEN
                -- It continued while we waited for its lock, and its successor has its place before some that we
                -- hold. So that is not waited for; whoever asks again finds it in its place.
                PERFORM FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE SKIP LOCKED;
                IF NOT FOUND THEN
                    RAISE serialization_failure USING MESSAGE = 'a run continued as new meanwhile';
                END IF;
            END IF;
        END LOOP;
        IF v_state IS NULL THEN
            v_answers := v_answers || 3::smallint;
            CONTINUE;
        END IF;
        IF p_kind[i] = p_signal AND p_key[i] IS NOT NULL THEN
            INSERT INTO {schema}.deliveries (run_id, name, delivery_id) VALUES (v_root, p_name[i], p_key[i])
            ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                v_answers := v_answers || 2::smallint;
                CONTINUE;
            END IF;
        END IF;
        IF v_state = 3 AND p_kind[i] = p_cancel THEN
            -- Its code cannot run, so there is nothing to cancel in it: it ends here.
            PERFORM {schema}.conclude({schema}.ask_to_stop(
                ARRAY[v_run], p_name[i], p_done_topic, p_work_topic, p_wake_topic),
                p_done_topic, p_work_topic, p_wake_topic);
            v_answers := v_answers || 1::smallint;
            CONTINUE;
        END IF;
        IF v_state >= 4 THEN
            DELETE FROM {schema}.deliveries d
            WHERE d.run_id = v_root AND d.name = p_name[i] AND d.delivery_id = p_key[i];
            v_answers := v_answers || 4::smallint;
            CONTINUE;
        END IF;
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        VALUES (v_run, p_kind[i], p_name[i], p_key[i], p_payload[i])
        ON CONFLICT (run_id, kind, name, key) WHERE key IS NOT NULL DO NOTHING;
        IF NOT FOUND THEN
            v_answers := v_answers || 2::smallint;
            CONTINUE;
        END IF;
        v_answers := v_answers || 1::smallint;
        IF v_owner IS NULL THEN
            UPDATE {schema}.runs r SET due_at = clock_timestamp()
            WHERE r.id = v_run AND r.state <= 2 AND (r.due_at IS NULL OR r.due_at > clock_timestamp());
            v_free := true;
        ELSE
            v_owned := v_owned || v_run::text;
        END IF;
    END LOOP;
    IF cardinality(v_owned) > 0 THEN
        PERFORM {schema}.hint(p_wake_topic, v_owned);
    END IF;
    IF v_free THEN
        PERFORM {schema}.hint(p_work_topic, '{}');
    END IF;
    RETURN v_answers;
END
$$;

-- Remove up to p_limit runs whose retention is over, with all that belongs to them. A chain goes whole, by the
-- time of its tip; a child stays while its parent lives. No lock is waited for.
CREATE OR REPLACE FUNCTION {schema}.remove_retained(p_limit integer) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_roots uuid[];
    v_runs uuid[];
    v_locked uuid[];
BEGIN
    SELECT array_agg(l.root) INTO v_roots FROM (
        SELECT coalesce(r.root, r.id) AS root FROM {schema}.runs r
        WHERE r.retain_until <= clock_timestamp() AND r.continued_to IS NULL AND r.state >= 4
          AND NOT EXISTS (SELECT FROM {schema}.runs p WHERE p.id = r.parent_id AND p.state <= 3)
        ORDER BY r.retain_until LIMIT p_limit FOR UPDATE SKIP LOCKED
    ) l;
    IF v_roots IS NULL THEN
        RETURN 0;
    END IF;
    v_runs := v_roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (v_roots));
    v_locked := ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.id = ANY (v_runs) FOR UPDATE SKIP LOCKED);
    IF cardinality(v_locked) < cardinality(v_runs) THEN
        -- Somebody is at a run of a chain, maybe on the way to its tip, which we hold: that chain goes another time.
        v_roots := ARRAY(
            SELECT c.root FROM unnest(v_roots) AS c (root)
            WHERE NOT EXISTS (SELECT FROM {schema}.runs r
                              WHERE (r.id = c.root OR r.root = c.root) AND r.id <> ALL (v_locked)));
        v_runs := v_roots || ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.root = ANY (v_roots));
    END IF;
    DELETE FROM {schema}.events x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.snapshots x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.refusals x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.inbox x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.tasks x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.heartbeats x WHERE x.run_id = ANY (v_runs);
    DELETE FROM {schema}.deliveries x WHERE x.run_id = ANY (v_roots);
    DELETE FROM {schema}.cells x WHERE x.root = ANY (v_roots);
    DELETE FROM {schema}.runs x WHERE x.id = ANY (v_runs);
    RETURN cardinality(v_runs);
END
$$;
