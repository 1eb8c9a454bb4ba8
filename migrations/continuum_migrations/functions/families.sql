-- Lock the runs of a batch and those that its ends, continuations and cancel requests reach, parents first:
-- generation by generation, by id within one. A generation can only get new members under the lock of the one
-- before it. Return the runs whose token still holds.
CREATE OR REPLACE FUNCTION {schema}.lock_generations(
    p_worker bigint, p_runs {schema}.commit_runs, t_run uuid[], t_state smallint[], p_family {schema}.commit_family
) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_held uuid[] := '{}';
    v_mine uuid[];
    v_reached uuid[] := '{}';
    v_depth integer := (SELECT min(d) FROM unnest(p_runs.depth) AS d);
BEGIN
    WHILE v_depth IS NOT NULL LOOP
        SELECT coalesce(array_agg(h.id) FILTER (WHERE h.mine), '{}') INTO v_mine FROM (
            SELECT r.id, r.token = u.token AND r.owner IS NOT DISTINCT FROM p_worker AS mine
            FROM (
                SELECT g.id, max(g.token) AS token, bool_or(g.reached) AS reached FROM (
                    SELECT b.id, b.token, false AS reached
                    FROM unnest(p_runs.id, p_runs.token, p_runs.depth) AS b (id, token, depth) WHERE b.depth = v_depth
                    UNION ALL
                    SELECT c.id, {token.lock_only}, true FROM unnest(v_reached) AS c (id)
                ) g GROUP BY g.id ORDER BY g.id
            ) u
            CROSS JOIN LATERAL (
                SELECT x.id, x.token, x.owner FROM {schema}.runs x
                -- What is not held is not waited for: a batch that takes runs could not lock it in its place.
                WHERE x.id = u.id AND (u.reached OR u.token = {token.lock_only}
                                       OR x.token = u.token AND x.owner IS NOT DISTINCT FROM p_worker)
                FOR NO KEY UPDATE
            ) r
        ) h;
        v_held := v_held || v_mine;
        SELECT coalesce(array_agg(DISTINCT n.id), '{}') INTO v_reached FROM (
            SELECT c.id FROM unnest(t_run, t_state) AS t (id, state)
            CROSS JOIN LATERAL (
                SELECT x.id, x.state, x.close_policy FROM {schema}.runs x WHERE x.parent_id = t.id OFFSET 0
            ) c
            WHERE t.state {is_terminal} AND t.id = ANY (v_mine) AND c.state {is_open}
              AND (c.close_policy = {close_policy.cancel}
                   OR (c.close_policy = {close_policy.cascade} AND t.state = {state.cancelled})
                   OR t.id = ANY (p_family.next_run))
            UNION ALL
            SELECT {schema}.latest_of_chain(a.child)
            FROM unnest(p_family.cancel_run, p_family.cancel_child) AS a (run, child)
            WHERE a.run = ANY (v_mine)
        ) n WHERE n.id IS NOT NULL;
        v_depth := CASE WHEN cardinality(v_reached) > 0 THEN v_depth + 1
                        ELSE (SELECT min(d) FROM unnest(p_runs.depth) AS d WHERE d > v_depth) END;
    END LOOP;
    RETURN v_held;
END
$$;

-- Write the part of a batch that is about attributes, children, continuations, versions, refusals and published values.
-- Attributes come as a published value without a name. The caller holds all locks.
CREATE OR REPLACE FUNCTION {schema}.write_families(p_family {schema}.commit_family, p_held uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_run uuid;
    v_next uuid;
BEGIN
    IF '' = ANY (p_family.published_name) THEN
        -- First, because children and successors inherit them.
        UPDATE {schema}.runs r
        SET attributes = r.attributes || convert_from(a.value, 'UTF8')::jsonb, updated_at = clock_timestamp()
        FROM unnest(p_family.published_run, p_family.published_name, p_family.published_value)
            AS a (run, name, value)
        WHERE a.name = '' AND r.id = a.run AND a.run = ANY (p_held);
    END IF;

    IF cardinality(p_family.child_parent) > 0 THEN
        -- What an ending parent starts is part of its end: where its pauses are lifted, those of the child are.
        INSERT INTO {schema}.runs (id, workflow, namespace, input, attributes, trace_context,
                                   parent_id, parent_seq, close_policy, depth, due_at, pause_lifted_at)
        SELECT n.id, n.workflow, p.namespace, n.input, p.attributes, p.trace_context,
               p.id, n.seq, n.policy, p.depth + 1, clock_timestamp(), p.pause_lifted_at
        FROM unnest(p_family.child_parent, p_family.child_seq, p_family.child_id, p_family.child_workflow,
                    p_family.child_input, p_family.child_policy)
            AS n (parent, seq, id, workflow, input, policy)
        CROSS JOIN LATERAL (SELECT x.* FROM {schema}.runs x WHERE x.id = n.parent OFFSET 0) p
        WHERE n.parent = ANY (p_held)
        ON CONFLICT (id) DO NOTHING;
        UPDATE {schema}.runs p SET has_children = true
        WHERE p.id = ANY (p_family.child_parent) AND p.id = ANY (p_held) AND NOT p.has_children;
        PERFORM {schema}.notify('work', '{}');
    END IF;

    IF cardinality(p_family.next_run) > 0 THEN
        INSERT INTO {schema}.runs (id, workflow, namespace, input, attributes, trace_context, parent_id, parent_seq,
                                   close_policy, depth, has_children, root, continued_from, due_at,
                                   paused_at, paused_by, pause_reason, pause_lifted_at)
        SELECT s.id, s.workflow, r.namespace, s.input, r.attributes, r.trace_context, r.parent_id, r.parent_seq,
               r.close_policy, r.depth, r.has_children, coalesce(r.root, r.id), r.id, clock_timestamp(),
               r.paused_at, r.paused_by, r.pause_reason, r.pause_lifted_at
        FROM unnest(p_family.next_run, p_family.next_id, p_family.next_workflow, p_family.next_input)
            AS s (run, id, workflow, input)
        JOIN {schema}.runs r ON r.id = s.run WHERE s.run = ANY (p_held);
        -- Nodes of an earlier release say completed.
        UPDATE {schema}.runs r SET continued_to = s.id, state = {state.continued}
        FROM unnest(p_family.next_run, p_family.next_id) AS s (run, id)
        WHERE r.id = s.run AND s.run = ANY (p_held);
        -- First the signals that were journaled and that no code waited for. Behind them, in the order of their ids,
        -- unread signals and cancel requests: results are for commands that the successor never gave.
        INSERT INTO {schema}.inbox (run_id, kind, name, payload)
        SELECT m.run, {kind.signal}, m.name, m.payload
        FROM unnest(p_family.signal_run, p_family.signal_name, p_family.signal_payload) WITH ORDINALITY
            AS m (run, name, payload, place)
        JOIN unnest(p_family.next_run, p_family.next_id) AS s (run, id) ON s.id = m.run
        WHERE s.run = ANY (p_held) ORDER BY m.place;
        WITH unread AS (
            DELETE FROM {schema}.inbox i USING unnest(p_family.next_run, p_family.next_id) AS s (run, id)
            WHERE i.run_id = s.run AND i.kind IN ({kind.signal}, {kind.cancel}) AND s.run = ANY (p_held)
            RETURNING i.id, s.id AS heir, i.kind, i.name, i.key, i.payload
        )
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        SELECT u.heir, u.kind, u.name, u.key, u.payload FROM unread u ORDER BY u.id;
        FOR v_run, v_next IN
            SELECT s.run, s.id FROM unnest(p_family.next_run, p_family.next_id) AS s (run, id)
            CROSS JOIN LATERAL (SELECT x.has_children FROM {schema}.runs x WHERE x.id = s.run OFFSET 0) r
            WHERE s.run = ANY (p_held) AND r.has_children
        LOOP
            LOOP
                -- Repeat until none is left: a child may have continued as new while this waited for its lock.
                UPDATE {schema}.runs c SET parent_id = v_next, parent_seq = NULL
                WHERE c.parent_id = v_run AND c.state {is_open};
                EXIT WHEN NOT EXISTS (SELECT FROM {schema}.runs c WHERE c.parent_id = v_run AND c.state {is_open});
            END LOOP;
        END LOOP;
        PERFORM {schema}.notify('work', '{}');
    END IF;

    IF cardinality(p_family.version_run) > 0 THEN
        UPDATE {schema}.runs r SET version = v.version
        FROM unnest(p_family.version_run, p_family.version) AS v (run, version)
        WHERE r.id = v.run AND v.run = ANY (p_held);
    END IF;

    IF cardinality(p_family.refused_run) > 0 THEN
        INSERT INTO {schema}.refusals (run_id, version, reason, fault)
        SELECT f.run, f.version, f.reason, f.fault::jsonb
        FROM unnest(p_family.refused_run, p_family.refused_version, p_family.refused_reason, p_family.refused_fault)
            AS f (run, version, reason, fault)
        WHERE f.run = ANY (p_held)
        ON CONFLICT (run_id, version) DO UPDATE
            SET reason = excluded.reason, fault = excluded.fault, refused_at = excluded.refused_at;
        -- The latest ones only, for an index takes no longer keys; an older version at worst refuses once more.
        UPDATE {schema}.runs r SET refused = (
            SELECT (k.kept)[greatest(1, cardinality(k.kept) - {limit.refused} + 1):] FROM (
                SELECT array_append(array_remove(coalesce(r.refused, '{}'), f.version), f.version) AS kept) k)
        FROM unnest(p_family.refused_run, p_family.refused_version) AS f (run, version)
        WHERE r.id = f.run AND f.run = ANY (p_held);
    END IF;

    IF EXISTS (SELECT FROM unnest(p_family.published_name) AS n (name) WHERE n.name <> '') THEN
        INSERT INTO {schema}.published_values (root, name, value)
        SELECT coalesce(r.root, r.id), l.name, l.value
        FROM unnest(p_family.published_run, p_family.published_name, p_family.published_value)
            AS l (run, name, value)
        JOIN {schema}.runs r ON r.id = l.run WHERE l.run = ANY (p_held) AND l.name <> ''
        ON CONFLICT (root, name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at;
        PERFORM {schema}.notify('published', ARRAY(
            SELECT DISTINCT coalesce(r.root, r.id)::text
            FROM unnest(p_family.published_run, p_family.published_name) AS l (run, name)
            JOIN {schema}.runs r ON r.id = l.run WHERE l.name <> '' AND r.id = ANY (p_held)));
    END IF;

    IF cardinality(p_family.cancel_run) > 0 THEN
        PERFORM {schema}.after_end({schema}.request_cancel(ARRAY(
            SELECT {schema}.latest_of_chain(a.child)
            FROM unnest(p_family.cancel_run, p_family.cancel_child) AS a (run, child)
            WHERE a.run = ANY (p_held)), 'parent'));
    END IF;
END
$$;
