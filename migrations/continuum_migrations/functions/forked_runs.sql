-- Whether one of these runs may have journaled a compensation behind its first so many events. A row with several events is
-- packed: its types are among its bytes, where other things may look like this one. The caller then reads the events again.
CREATE OR REPLACE FUNCTION {schema}.may_compensate_after(p_runs uuid[], p_events integer[]) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM unnest(p_runs, p_events) AS s (id, events)
        CROSS JOIN LATERAL (
            SELECT e.type, e.payload FROM {schema}.events e WHERE e.run_id = s.id AND e.seq >= s.events OFFSET 0
        ) e
        WHERE e.type = {event.compensation_scheduled}
           OR e.type < 0 AND (position('\x0c'::bytea IN e.payload) > 0 OR position('\xf4'::bytea IN e.payload) > 0));
END
$$;

-- The forks that come from the same chains as these chains do, by their first runs.
CREATE OR REPLACE FUNCTION {schema}.forks_of(p_roots uuid[])
RETURNS TABLE (fork uuid, origin uuid, root uuid, events integer, is_lost boolean)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN QUERY
        SELECT f.fork, f.origin, f.root, f.events, f.is_lost FROM {schema}.forks f
        WHERE f.family = ANY (p_roots || ARRAY(SELECT x.family FROM {schema}.forks x WHERE x.fork = ANY (p_roots)))
        ORDER BY f.made_at, f.fork;
END
$$;

-- Create a run that begins with the events of another before p_cut, and return what became of the request. The new run has
-- the time of the other's start, which its code has seen. With p_succeeds it is the next run of the chain: an open run ends
-- as cancelled, with its children as their close policies say, and its parent waits for the new one.
--
-- Nothing happens if the run is not in the state that was seen or has other than p_events events, if one of p_children is
-- open or no longer the latest run of its chain, or if the parent of an ended run has not continued as p_parent_next: then
-- what was planned may not hold any more. Neither happens anything if one of p_relatives, which count on the same events, has
-- journaled a compensation behind its first p_relative_events. Parent, run and children are locked as everywhere, so that two of a family that
-- are cut at the same moment see each other. The first rows of events are copied, those that begin before
-- p_copied; the others are given, with the event that says where the history comes from.
CREATE OR REPLACE FUNCTION {schema}.fork_run(
    p_new uuid, p_run uuid, p_succeeds boolean, p_version text, p_state smallint, p_events integer, p_cut integer,
    p_copied integer, p_seq integer[], p_type smallint[], p_at timestamptz[], p_payload bytea[],
    p_mail_kind smallint[], p_mail_name text[], p_mail_key text[], p_mail_payload bytea[],
    p_children uuid[], p_parent_next uuid, p_published text[], p_kept smallint[], p_relatives uuid[], p_relative_events integer[],
    p_audit jsonb
) RETURNS smallint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_run {schema}.runs;
    v_parent uuid;
    v_parent_next uuid;
    v_events integer;
    v_stopped uuid[] := '{}';
    v_result smallint := {posted.accepted};
BEGIN
    IF p_succeeds THEN
        SELECT p.id, p.continued_to INTO v_parent, v_parent_next FROM {schema}.runs p
        WHERE p.id = (SELECT r.parent_id FROM {schema}.runs r WHERE r.id = p_run) FOR NO KEY UPDATE;
    END IF;
    -- This waits for the owner's commit in flight, and no other can follow it.
    SELECT r.* INTO v_run FROM {schema}.runs r WHERE r.id = p_run FOR NO KEY UPDATE;
    -- With those that may end with the run, because all of a generation are locked in one order.
    PERFORM FROM {schema}.runs c
    WHERE c.id = ANY (p_children || CASE WHEN p_succeeds AND v_run.state {is_open} THEN ARRAY(
        SELECT x.id FROM {schema}.runs x WHERE x.parent_id = p_run AND x.state {is_open}) END)
    ORDER BY c.depth, c.id FOR NO KEY UPDATE;
    SELECT e.seq + CASE WHEN e.type < 0 THEN -e.type ELSE 1 END INTO v_events
    FROM {schema}.events e WHERE e.run_id = p_run ORDER BY e.seq DESC LIMIT 1;
    IF EXISTS (SELECT FROM {schema}.runs r WHERE r.id = p_new) THEN
        v_result := {posted.duplicate};
    ELSIF v_run.id IS NULL THEN
        v_result := {posted.not_found};
    ELSIF coalesce(v_events, 0) <> p_events
          OR (v_run.state {is_terminal} OR p_state {is_terminal}) AND v_run.state <> p_state
          OR p_succeeds AND v_run.continued_to IS NOT NULL
          OR p_succeeds AND v_run.state {is_terminal} AND v_run.parent_id IS NOT NULL
             AND (v_parent_next IS DISTINCT FROM p_parent_next OR v_parent IS NOT NULL AND v_parent <> v_run.parent_id)
          OR EXISTS (SELECT FROM {schema}.runs c
                     WHERE c.id = ANY (p_children) AND (c.state {is_open} OR c.continued_to IS NOT NULL))
          OR {schema}.may_compensate_after(p_relatives, p_relative_events) THEN
        v_result := {posted.stale};
    END IF;
    IF v_result <> {posted.accepted} THEN
        IF p_audit IS NOT NULL THEN
            PERFORM {schema}.record_change(p_audit, CASE WHEN v_result = {posted.duplicate} THEN 'done'
                                                         ELSE {schema}.outcome_of_post(v_result) END);
        END IF;
        RETURN v_result;
    END IF;

    IF p_succeeds AND v_run.state {is_open} THEN
        UPDATE {schema}.runs r
        SET state = {state.cancelled}, owner = NULL, due_at = NULL, token = nextval('{schema}.fencing_token'),
            reason = NULL, fault = NULL, updated_at = clock_timestamp(), completed_at = clock_timestamp(),
            retain_until = {schema}.retained_from_now(r.workflow, r.version)
        WHERE r.id = p_run;
        -- Before it has a successor, which would keep its children.
        v_stopped := {schema}.lock_children(ARRAY[p_run], false);
    END IF;

    -- A claim counts as one of many: the run has a history.
    INSERT INTO {schema}.runs (id, workflow, version, namespace, token, due_at, attempt, fresh, input, attributes,
                               trace_context, started_at, parent_id, parent_seq, close_policy, depth, root, continued_from,
                               paused_at, paused_by, pause_reason, pause_lifted_at)
    SELECT p_new, v_run.workflow, p_version, v_run.namespace, nextval('{schema}.fencing_token'), clock_timestamp(),
           greatest(v_run.attempt, 1), false, v_run.input, v_run.attributes, v_run.trace_context, v_run.started_at,
           CASE WHEN p_succeeds THEN v_run.parent_id END, CASE WHEN p_succeeds THEN v_run.parent_seq END,
           CASE WHEN p_succeeds THEN v_run.close_policy END, CASE WHEN p_succeeds THEN v_run.depth ELSE 0 END,
           CASE WHEN p_succeeds THEN coalesce(v_run.root, v_run.id) END, CASE WHEN p_succeeds THEN v_run.id END,
           -- A person has paused the chain.
           CASE WHEN p_succeeds AND v_run.state {is_open} THEN v_run.paused_at END, v_run.paused_by, v_run.pause_reason,
           -- An unread request to stop, which has lifted pauses, comes to the new run.
           CASE WHEN p_succeeds AND v_run.state {is_open} AND EXISTS (
               SELECT FROM {schema}.inbox i WHERE i.run_id = p_run AND i.kind = {kind.cancel}) THEN v_run.pause_lifted_at END;
    INSERT INTO {schema}.events (run_id, seq, type, at, payload)
    SELECT p_new, e.seq, e.type, e.at, e.payload FROM {schema}.events e WHERE e.run_id = p_run AND e.seq < p_copied
    UNION ALL
    SELECT p_new, g.seq, g.type, g.at, g.payload FROM unnest(p_seq, p_type, p_at, p_payload) AS g (seq, type, at, payload);

    INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
    SELECT p_new, m.kind, m.name, m.key, m.payload
    FROM unnest(p_mail_kind, p_mail_name, p_mail_key, p_mail_payload) WITH ORDINALITY
        AS m (kind, name, key, payload, place)
    ORDER BY m.place;
    -- What the run has not read. A request to stop belongs to an open run alone, and results to calls that stay.
    INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
    SELECT p_new, i.kind, i.name, i.key, i.payload FROM {schema}.inbox i
    WHERE i.run_id = p_run AND i.kind = ANY (p_kept)
      AND (i.kind <> {kind.cancel} OR v_run.state {is_open})
      AND (i.kind <> {kind.activity_completed} OR i.name::integer < p_cut)
    ORDER BY i.id
    ON CONFLICT DO NOTHING;

    IF p_succeeds THEN
        DELETE FROM {schema}.inbox i WHERE i.run_id = p_run;
        DELETE FROM {schema}.tasks t WHERE t.run_id = p_run;
        UPDATE {schema}.runs r SET continued_to = p_new, updated_at = clock_timestamp() WHERE r.id = p_run;
        PERFORM {schema}.after_end({schema}.request_cancel(v_stopped, 'parent'));
        PERFORM {schema}.notify('done', ARRAY[p_run::text]);
        PERFORM {schema}.notify_each('lost', ARRAY[p_run::text]);
    ELSE
        INSERT INTO {schema}.deliveries (run_id, name, delivery_id)
        SELECT p_new, d.name, d.delivery_id FROM {schema}.deliveries d WHERE d.run_id = coalesce(v_run.root, v_run.id);
        INSERT INTO {schema}.published_values (root, name, value)
        SELECT p_new, v.name, v.value FROM {schema}.published_values v
        WHERE v.root = coalesce(v_run.root, v_run.id) AND v.name = ANY (p_published);
        INSERT INTO {schema}.forks (fork, family, origin, root, events)
        SELECT p_new, coalesce((SELECT f.family FROM {schema}.forks f WHERE f.fork = c.root), c.root), p_run, c.root, p_cut
        FROM (SELECT coalesce(v_run.root, v_run.id)) AS c (root);
    END IF;
    IF p_audit IS NOT NULL THEN
        -- A caller who found it stale has planned anew: its request has one row.
        DELETE FROM {schema}.audit a WHERE a.id = (p_audit ->> 'id')::uuid AND a.outcome = 'stale';
        PERFORM {schema}.record_change(p_audit, 'done');
    END IF;
    PERFORM {schema}.notify('work', '{}');
    RETURN {posted.accepted};
END
$$;
