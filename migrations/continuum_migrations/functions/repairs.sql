-- What `continuum repair` changes. A repair runs in one transaction at repeatable read: it locks what it is about, has the
-- rules of `continuum verify` look at it, and calls these for what they find. See `MendKind` for the kinds.

-- Lock a run as the engine does, after its parent, which may get its end; and its tasks, so that nobody claims them.
CREATE OR REPLACE FUNCTION {schema}.lock_damaged(p_run uuid) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM FROM {schema}.runs r
    WHERE r.id = ANY (ARRAY[p_run, (SELECT x.parent_id FROM {schema}.runs x WHERE x.id = p_run)])
    ORDER BY r.depth, r.id FOR NO KEY UPDATE;
    PERFORM FROM {schema}.tasks t WHERE t.run_id = p_run ORDER BY t.seq FOR UPDATE;
END
$$;

-- Whether an engine may have written a time; any other is infinite, or none that a datetime holds.
CREATE OR REPLACE FUNCTION {schema}.is_moment(p_at timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT isfinite(p_at) AND p_at BETWEEN '0001-01-02 00:00:00Z'::timestamptz AND '9999-12-31 23:59:59.999999Z'::timestamptz
$$;

-- Make one mend of the row of a run that is locked.
CREATE OR REPLACE FUNCTION {schema}.mend_row(p_run uuid, p_kind text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_token bigint;
    v_ahead bigint;
BEGIN
    CASE p_kind
    WHEN 'wake' THEN
        UPDATE {schema}.runs r SET due_at = v_now, asleep = false
        WHERE r.id = p_run AND r.owner IS NULL AND r.state {is_active};
        PERFORM {schema}.notify('work', '{}');
    WHEN 'free' THEN
        UPDATE {schema}.runs r
        SET owner = NULL, asleep = false, due_at = CASE WHEN r.state {is_active} THEN v_now END,
            updated_at = v_now
        WHERE r.id = p_run AND NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.id = r.owner);
        PERFORM {schema}.notify('work', '{}');
    WHEN 'give_token' THEN
        UPDATE {schema}.runs r
        SET owner = NULL, asleep = false, token = nextval('{schema}.fencing_token'),
            due_at = CASE WHEN r.state {is_active} THEN v_now END
        WHERE r.id = p_run;
        PERFORM {schema}.notify('work', '{}');
    WHEN 'raise_tokens' THEN
        -- One repair at a time: a value that is set must not lie before one that was drawn.
        PERFORM pg_advisory_xact_lock(hashtextextended('{schema.name}.fencing_token', 0));
        SELECT r.token INTO v_token FROM {schema}.runs r WHERE r.id = p_run;
        SELECT v_token - s.last_value INTO v_ahead FROM {schema}.fencing_token s;
        -- To draw never lowers the sequence, however many others draw meanwhile. Where it would take long, the value to set
        -- is farther ahead than others can draw between the two statements.
        IF v_ahead > {limit.drawn_tokens} THEN
            PERFORM setval('{schema}.fencing_token', v_token);
        ELSIF v_ahead > 0 THEN
            LOOP
                EXIT WHEN nextval('{schema}.fencing_token') >= v_token;
            END LOOP;
        END IF;
    WHEN 'clear_end' THEN
        UPDATE {schema}.runs r SET result = NULL, error = NULL, completed_at = NULL, retain_until = NULL
        WHERE r.id = p_run AND r.state {is_open};
    WHEN 'complete_end' THEN
        UPDATE {schema}.runs r
        SET owner = NULL, due_at = NULL, asleep = false,
            completed_at = coalesce(r.completed_at, CASE WHEN {schema}.is_moment(r.updated_at) THEN r.updated_at ELSE v_now END),
            retain_until = coalesce(r.retain_until, CASE WHEN r.completed_at IS NULL
                                                         THEN {schema}.retained_from_now(r.workflow, r.version) END)
        WHERE r.id = p_run AND r.state {is_terminal};
        PERFORM {schema}.notify_each('lost', ARRAY[p_run::text]);
    WHEN 'set_times' THEN
        UPDATE {schema}.runs r
        SET due_at = CASE WHEN NOT {schema}.is_moment(r.due_at) THEN CASE WHEN r.state {is_active} THEN v_now END
                          ELSE r.due_at END,
            asleep = r.asleep AND {schema}.is_moment(r.due_at),
            started_at = CASE WHEN {schema}.is_moment(r.started_at) THEN r.started_at ELSE coalesce(
                (SELECT min(e.at) FROM {schema}.events e WHERE e.run_id = r.id AND {schema}.is_moment(e.at)), v_now) END,
            updated_at = CASE WHEN {schema}.is_moment(r.updated_at) THEN r.updated_at ELSE coalesce(
                (SELECT max(e.at) FROM {schema}.events e WHERE e.run_id = r.id AND {schema}.is_moment(e.at)), v_now) END
        WHERE r.id = p_run;
        PERFORM {schema}.notify('work', '{}');
    WHEN 'unblock' THEN
        UPDATE {schema}.runs r SET owner = NULL WHERE r.id = p_run AND r.state = {state.blocked} AND r.owner IS NOT NULL;
        PERFORM {schema}.unblock(ARRAY[(SELECT r.workflow FROM {schema}.runs r WHERE r.id = p_run)], ARRAY[p_run], NULL, NULL);
    WHEN 'end_stopped' THEN
        PERFORM {schema}.end_stopped(ARRAY[p_run]);
    WHEN 'ask_to_stop' THEN
        PERFORM {schema}.after_end({schema}.request_cancel(ARRAY[p_run], 'parent'));
    END CASE;
END
$$;

-- Make one mend of what belongs to a run that is locked, or to one that does not exist.
CREATE OR REPLACE FUNCTION {schema}.mend_run(p_run uuid, p_kind text, p_seq integer, p_number bigint, p_name text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_there boolean := EXISTS (SELECT FROM {schema}.runs r WHERE r.id = p_run);
BEGIN
    CASE p_kind
    WHEN 'requeue' THEN
        -- The same mail as after the death of a process: the owner of the run dispatches the activity again.
        DELETE FROM {schema}.tasks t WHERE t.run_id = p_run AND t.seq = p_seq;
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        VALUES (p_run, {kind.activity_interrupted}, p_seq::text, p_number::text, '') ON CONFLICT DO NOTHING;
        PERFORM {schema}.wake_runs(ARRAY[p_run]);
    WHEN 'drop_task' THEN
        DELETE FROM {schema}.tasks t WHERE t.run_id = p_run AND t.seq = p_seq;
    WHEN 'drop_mail' THEN
        DELETE FROM {schema}.inbox i
        WHERE i.run_id = p_run AND EXISTS (SELECT FROM {schema}.runs r WHERE r.id = p_run AND r.state {is_terminal});
    WHEN 'drop_snapshots' THEN
        DELETE FROM {schema}.snapshots s WHERE s.run_id = p_run;
    WHEN 'drop_published' THEN
        DELETE FROM {schema}.published_values v
        WHERE v.name = p_name AND v.root = (SELECT coalesce(r.root, r.id) FROM {schema}.runs r WHERE r.id = p_run);
    WHEN 'drop_orphans' THEN
        IF p_name = 'inbox' AND NOT v_there THEN
            DELETE FROM {schema}.inbox i WHERE i.run_id = p_run;
        ELSIF p_name = 'tasks' AND NOT v_there THEN
            DELETE FROM {schema}.tasks t WHERE t.run_id = p_run;
        ELSIF p_name = 'snapshots' AND NOT v_there THEN
            DELETE FROM {schema}.snapshots s WHERE s.run_id = p_run;
        END IF;
    WHEN 'report_child' THEN
        INSERT INTO {schema}.inbox (run_id, kind, name, payload)
        SELECT p_run,
               CASE c.state WHEN {state.completed} THEN {kind.child_completed} WHEN {state.failed} THEN {kind.child_failed}
                            WHEN {state.cancelled} THEN {kind.child_cancelled} END,
               c.parent_seq::text,
               coalesce(CASE c.state WHEN {state.completed} THEN c.result WHEN {state.failed} THEN c.error END, '')
        FROM {schema}.runs c
        WHERE c.id = p_name::uuid AND c.parent_id = p_run AND c.parent_seq IS NOT NULL AND c.continued_to IS NULL
          AND c.state {is_terminal};
        PERFORM {schema}.wake_runs(ARRAY[p_run]);
    ELSE
        PERFORM {schema}.mend_row(p_run, p_kind);
    END CASE;
END
$$;

-- Make one mend of a worker that is locked.
CREATE OR REPLACE FUNCTION {schema}.mend_worker(p_worker bigint, p_kind text, p_poison_after integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_counted uuid;
BEGIN
    CASE p_kind
    WHEN 'shorten_lease' THEN
        -- A process that lives renews it before; what one that is gone owns is released then.
        UPDATE {schema}.workers w SET expires_at = clock_timestamp() + {limit.shortened_lease} * interval '1 second'
        WHERE w.id = p_worker;
    WHEN 'retire' THEN
        v_counted := {schema}.blame(p_worker, true, NULL, NULL, NULL, '{}', '{}', true);
        PERFORM {schema}.end_worker(p_worker, v_counted, p_poison_after, true, NULL);
    END CASE;
END
$$;
