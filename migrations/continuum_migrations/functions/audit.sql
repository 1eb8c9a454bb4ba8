-- Changes that people make. Each function here makes the same change as the one that applications and nodes call, and
-- records it in the same transaction, so that there is a row exactly when the change was made or refused.

-- Record a change once, however often its call is repeated: the first outcome counts. Without facts nothing is recorded.
CREATE OR REPLACE FUNCTION {schema}.record_change(p_audit jsonb, p_outcome text) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO {schema}.audit (id, at, actor, via, action, subject, arguments, reason, outcome)
    SELECT (p_audit ->> 'id')::uuid, clock_timestamp(), p_audit ->> 'actor', p_audit ->> 'via', p_audit ->> 'action',
           p_audit ->> 'subject', p_audit -> 'arguments', p_audit ->> 'reason', p_outcome
    WHERE p_audit IS NOT NULL
    ON CONFLICT DO NOTHING
$$;

-- What the record says of a post.
CREATE OR REPLACE FUNCTION {schema}.outcome_of_post(p_posted smallint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_posted WHEN {posted.accepted} THEN 'done' WHEN {posted.duplicate} THEN 'already'
                         WHEN {posted.not_found} THEN 'not_found' WHEN {posted.terminal} THEN 'refused'
                         WHEN {posted.stale} THEN 'stale' END
$$;

-- Create runs, except those whose id or idempotency key is taken, and return the ids of the new ones.
CREATE OR REPLACE FUNCTION {schema}.start_recorded(
    p_id uuid[], p_workflow text[], p_namespace text[], p_input bytea[], p_key text[], p_attributes jsonb[], p_trace text[],
    p_audit jsonb[]
) RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_created uuid[];
BEGIN
    WITH created AS (
        INSERT INTO {schema}.runs (id, workflow, namespace, input, idempotency_key, attributes, trace_context, due_at)
        SELECT s.id, s.workflow, s.namespace, s.input, s.key, s.attributes, s.trace, clock_timestamp()
        FROM unnest(p_id, p_workflow, p_namespace, p_input, p_key, p_attributes, p_trace)
            WITH ORDINALITY AS s (id, workflow, namespace, input, key, attributes, trace, place)
        -- In one order for every caller (I3): two calls that insert the same keys in two orders would deadlock.
        ORDER BY s.namespace, s.workflow, s.key, CASE WHEN s.key IS NULL THEN s.id END, s.place
        ON CONFLICT DO NOTHING RETURNING id
    )
    SELECT coalesce(array_agg(c.id), '{}') INTO v_created FROM created c;
    -- The subject is the run that there is now: the new one, or the one that has the id or the key.
    PERFORM {schema}.record_change(
        s.audit || jsonb_build_object('subject', coalesce(
            (SELECT r.id FROM {schema}.runs r WHERE r.id = s.id),
            (SELECT r.id FROM {schema}.runs r
             WHERE r.namespace = s.namespace AND r.workflow = s.workflow AND r.idempotency_key = s.key), s.id)),
        -- An id given twice in one call is created once.
        CASE WHEN s.id = ANY (v_created) AND s.place = array_position(p_id, s.id) THEN 'done' ELSE 'already' END)
    FROM unnest(p_id, p_workflow, p_namespace, p_key, p_audit)
        WITH ORDINALITY AS s (id, workflow, namespace, key, audit, place)
    WHERE s.audit IS NOT NULL;
    IF cardinality(v_created) > 0 THEN
        PERFORM {schema}.notify('work', '{}');
    END IF;
    RETURN v_created;
END
$$;

-- Write inbox entries, and return what became of each.
CREATE OR REPLACE FUNCTION {schema}.post_recorded(
    p_run uuid[], p_kind smallint[], p_name text[], p_key text[], p_payload bytea[], p_attempt smallint[], p_audit jsonb[]
) RETURNS smallint[]
LANGUAGE plpgsql AS $$
DECLARE
    v_results smallint[] := {schema}.post_attempts(p_run, p_kind, p_name, p_key, p_payload, p_attempt);
BEGIN
    PERFORM {schema}.record_change(a.audit, {schema}.outcome_of_post(a.posted))
    FROM unnest(p_audit, v_results) AS a (audit, posted);
    RETURN v_results;
END
$$;

-- End the latest run of a chain, if it is as it was seen, and return what became of the request.
CREATE OR REPLACE FUNCTION {schema}.force_cancel_recorded(p_run uuid, p_seen uuid, p_seen_at bigint, p_audit jsonb)
RETURNS smallint
LANGUAGE plpgsql AS $$
DECLARE
    v_result smallint := {schema}.force_cancel(p_run, p_seen, p_seen_at);
BEGIN
    PERFORM {schema}.record_change(p_audit, {schema}.outcome_of_post(v_result));
    RETURN v_result;
END
$$;

-- Make blocked runs claimable again, and return how many.
CREATE OR REPLACE FUNCTION {schema}.unblock_recorded(
    p_workflows text[], p_runs uuid[], p_namespaces text[], p_code text, p_audit jsonb
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_released bigint := {schema}.unblock(p_workflows, p_runs, p_namespaces, p_code);
BEGIN
    PERFORM {schema}.record_change(p_audit, CASE WHEN v_released > 0 THEN 'done' ELSE 'already' END);
    RETURN v_released;
END
$$;

-- Merge attributes into those of the chain's latest run; false without such a run. Without facts nothing is recorded.
CREATE OR REPLACE FUNCTION {schema}.set_attributes_recorded(p_run uuid, p_attributes jsonb, p_audit jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_found boolean;
BEGIN
    LOOP
        UPDATE {schema}.runs SET attributes = attributes || p_attributes, updated_at = clock_timestamp()
        WHERE id = {schema}.latest_of_chain(p_run) AND continued_to IS NULL;
        v_found := FOUND;
        -- It may have continued as new while this waited for its lock. A chain that was cut by hand has no latest run.
        EXIT WHEN v_found OR {schema}.latest_of_chain(p_run) IS NULL;
    END LOOP;
    IF p_audit IS NOT NULL THEN
        PERFORM {schema}.record_change(p_audit, CASE WHEN v_found THEN 'done' ELSE 'not_found' END);
    END IF;
    RETURN v_found;
END
$$;

-- Ask a node to stop in order; false without such a node.
CREATE OR REPLACE FUNCTION {schema}.drain_node_recorded(p_node text, p_audit jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_drains boolean;
BEGIN
    SELECT n.drain INTO v_drains FROM {schema}.nodes n WHERE n.node = p_node FOR NO KEY UPDATE;
    UPDATE {schema}.nodes n SET drain = true WHERE n.node = p_node;
    PERFORM {schema}.record_change(p_audit, CASE WHEN v_drains IS NULL THEN 'not_found' WHEN v_drains THEN 'already' ELSE 'done' END);
    RETURN v_drains IS NOT NULL;
END
$$;

-- Delete those of these versions that no open run has, and return how many. Without facts nothing is recorded.
CREATE OR REPLACE FUNCTION {schema}.delete_versions_recorded(p_workflow text[], p_version text[], p_audit jsonb[]) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_deleted integer := 0;
    v_outcome text;
    v_next record;
BEGIN
    -- In the order in which nodes register them (I3): two calls in two orders would deadlock.
    FOR v_next IN
        SELECT w.workflow, w.version, w.audit
        FROM unnest(p_workflow, p_version, p_audit) WITH ORDINALITY AS w (workflow, version, audit, place)
        ORDER BY w.workflow COLLATE "C", w.version COLLATE "C", w.place
    LOOP
        DELETE FROM {schema}.versions v
        WHERE v.workflow = v_next.workflow AND v.version = v_next.version
          AND NOT EXISTS (SELECT FROM {schema}.runs r
                          WHERE r.workflow = v_next.workflow AND r.version = v_next.version AND r.completed_at IS NULL);
        IF FOUND THEN
            v_deleted := v_deleted + 1;
            v_outcome := 'done';
        ELSIF EXISTS (SELECT FROM {schema}.versions v WHERE v.workflow = v_next.workflow AND v.version = v_next.version) THEN
            v_outcome := 'stale';
        ELSE
            v_outcome := 'already';
        END IF;
        IF v_next.audit IS NOT NULL THEN
            PERFORM {schema}.record_change(v_next.audit, v_outcome);
        END IF;
    END LOOP;
    RETURN v_deleted;
END
$$;
