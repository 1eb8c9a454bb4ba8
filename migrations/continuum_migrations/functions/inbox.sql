-- Runs that got mail, and are locked: due when free, told of when owned.
CREATE OR REPLACE FUNCTION {schema}.rouse(p_runs uuid[], p_work_topic text, p_wake_topic text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_owned text[];
BEGIN
    UPDATE {schema}.runs r SET due_at = clock_timestamp()
    WHERE r.id = ANY (p_runs) AND r.owner IS NULL AND r.state <= 2
      AND (r.due_at IS NULL OR r.due_at > clock_timestamp());
    IF FOUND THEN
        PERFORM {schema}.hint(p_work_topic, '{}');
    END IF;
    SELECT array_agg(r.id::text) INTO v_owned FROM {schema}.runs r WHERE r.id = ANY (p_runs) AND r.owner IS NOT NULL;
    IF v_owned IS NOT NULL THEN
        PERFORM {schema}.hint(p_wake_topic, v_owned);
    END IF;
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
