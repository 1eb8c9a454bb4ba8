-- Wake runs that got mail and are locked: without an owner they become due, else their owner is notified.
CREATE OR REPLACE FUNCTION {schema}.wake_runs(p_runs uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_owned text[];
    v_free uuid[];
BEGIN
    WITH due AS (
        UPDATE {schema}.runs r SET due_at = clock_timestamp(), asleep = false
        WHERE r.id = ANY (p_runs) AND r.owner IS NULL AND r.state {is_active}
          AND (r.due_at IS NULL OR r.due_at > clock_timestamp())
        RETURNING r.id
    )
    SELECT array_agg(d.id) INTO v_free FROM due d;
    IF v_free IS NOT NULL THEN
        PERFORM {schema}.announce_mail(v_free);
    END IF;
    SELECT array_agg(u.id::text) INTO v_owned FROM unnest(p_runs) AS u (id)
    CROSS JOIN LATERAL (SELECT x.owner FROM {schema}.runs x WHERE x.id = u.id OFFSET 0) r WHERE r.owner IS NOT NULL;
    IF v_owned IS NOT NULL THEN
        PERFORM {schema}.notify_each('wake', v_owned);
    END IF;
END
$$;

-- Whether a run of a chain has a signal with this key in its inbox or in its history. Only a key that its sender has
-- made is looked for like that: it is in no other text.
CREATE OR REPLACE FUNCTION {schema}.has_received(p_root uuid, p_name text, p_key text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_chain uuid[] := ARRAY(SELECT p_root UNION SELECT r.id FROM {schema}.runs r WHERE r.root = p_root);
BEGIN
    RETURN EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = ANY (v_chain) AND i.kind = {kind.signal}
                   AND i.name = p_name AND i.key = p_key)
        OR EXISTS (SELECT FROM {schema}.events e WHERE e.run_id = ANY (v_chain)
                   AND position(convert_to(p_key, 'UTF8') IN e.payload) > 0);
END
$$;

-- Write inbox entries, and return what became of each. Signals and cancel requests go to the latest run of the chain;
-- delivery ids belong to the chain. An attempt of 0 has a delivery id that is kept with the chain. Otherwise only the
-- sender knows the key. Its first attempt writes nothing down; a later one does, so that the first one, if it is still
-- under way, is refused, and then looks whether that one has arrived. After a serialization failure the caller tries
-- again.
CREATE OR REPLACE FUNCTION {schema}.post_attempts(
    p_run uuid[], p_kind smallint[], p_name text[], p_key text[], p_payload bytea[], p_attempt smallint[]
) RETURNS smallint[]
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_results smallint[] := '{}';
    v_owned text[] := '{}';
    v_free uuid[] := '{}';
    v_follows boolean;
    v_known boolean;
    v_lifted boolean;
    v_run uuid;
    v_next uuid;
    v_root uuid;
    v_state smallint;
    v_owner bigint;
BEGIN
    IF cardinality(p_run) > 1 OR {kind.cancel} = ANY (p_kind) THEN
        -- In the common order of locks; before a run that ends here comes the parent that gets its end.
        PERFORM FROM {schema}.runs r WHERE r.id IN (
            SELECT {schema}.latest_of_chain(u.id) FROM unnest(p_run) AS u (id)
            UNION SELECT t.parent_id FROM unnest(p_run, p_kind) AS u (id, kind)
                  JOIN {schema}.runs t ON t.id = {schema}.latest_of_chain(u.id) WHERE u.kind = {kind.cancel})
        ORDER BY r.depth, r.id FOR NO KEY UPDATE;
    END IF;
    FOR i IN 1 .. cardinality(p_run) LOOP
        v_follows := p_kind[i] IN ({kind.signal}, {kind.cancel});
        v_run := p_run[i];
        LOOP
            -- This waits for the owner's commit in flight, so that nothing is written to a run that ends meanwhile,
            -- and so that a run that continues as new is followed.
            SELECT r.state, r.owner, coalesce(r.root, r.id), r.continued_to INTO v_state, v_owner, v_root, v_next
            FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE;
            EXIT WHEN NOT FOUND OR v_next IS NULL OR NOT v_follows;
            v_run := {schema}.latest_of_chain(v_run);
            IF cardinality(p_run) > 1 THEN
                -- The run continued while this waited for its lock, and in the order of locks its successor comes
                -- before some that are held here. Do not wait for it; the next try finds it in its place.
                PERFORM FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE SKIP LOCKED;
                IF NOT FOUND AND v_run IS NOT NULL THEN
                    RAISE serialization_failure USING MESSAGE = 'a run continued as new meanwhile';
                END IF;
            END IF;
        END LOOP;
        IF v_state IS NULL THEN
            v_results := v_results || {posted.not_found}::smallint;
            CONTINUE;
        END IF;
        IF p_kind[i] = {kind.signal} AND p_key[i] IS NOT NULL THEN
            IF p_attempt[i] = 1 THEN
                v_known := EXISTS (SELECT FROM {schema}.deliveries d
                                   WHERE d.run_id = v_root AND d.name = p_name[i] AND d.delivery_id = p_key[i]);
            ELSE
                INSERT INTO {schema}.deliveries (run_id, name, delivery_id) VALUES (v_root, p_name[i], p_key[i])
                ON CONFLICT DO NOTHING;
                v_known := NOT FOUND OR p_attempt[i] > 1 AND {schema}.has_received(v_root, p_name[i], p_key[i]);
            END IF;
            IF v_known THEN
                v_results := v_results || {posted.duplicate}::smallint;
                CONTINUE;
            END IF;
        END IF;
        v_lifted := false;
        IF p_kind[i] = {kind.cancel} THEN
            -- Asked again, a run that was paused since continues.
            v_lifted := v_state {is_open} AND {schema}.is_paused(v_run);
            PERFORM {schema}.lift_pauses(ARRAY[v_run]);
        END IF;
        IF v_state = {state.blocked} AND p_kind[i] = {kind.cancel}
           AND NOT EXISTS (SELECT FROM {schema}.events e WHERE e.run_id = v_run) THEN
            -- Without a history there is nothing to compensate: it ends here.
            PERFORM {schema}.after_end({schema}.request_cancel(ARRAY[v_run], p_name[i]));
            v_results := v_results || {posted.accepted}::smallint;
            CONTINUE;
        END IF;
        IF v_state {is_terminal} THEN
            DELETE FROM {schema}.deliveries d
            WHERE d.run_id = v_root AND d.name = p_name[i] AND d.delivery_id = p_key[i];
            v_results := v_results || {posted.terminal}::smallint;
            CONTINUE;
        END IF;
        INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
        VALUES (v_run, p_kind[i], p_name[i], p_key[i], p_payload[i])
        ON CONFLICT (run_id, kind, name, key) WHERE key IS NOT NULL DO NOTHING;
        IF NOT FOUND AND NOT v_lifted THEN
            v_results := v_results || {posted.duplicate}::smallint;
            CONTINUE;
        END IF;
        v_results := v_results || {posted.accepted}::smallint;
        IF v_owner IS NULL THEN
            UPDATE {schema}.runs r SET due_at = clock_timestamp(), asleep = false
            WHERE r.id = v_run AND r.state {is_active} AND (r.due_at IS NULL OR r.due_at > clock_timestamp());
            v_free := array_remove(v_free, v_run) || v_run;
        ELSE
            v_owned := v_owned || v_run::text;
        END IF;
    END LOOP;
    IF cardinality(v_owned) > 0 THEN
        PERFORM {schema}.notify_each('wake', v_owned);
    END IF;
    IF cardinality(v_free) > 0 THEN
        PERFORM {schema}.announce_mail(v_free);
    END IF;
    RETURN v_results;
END
$$;

-- The same for senders of earlier code, whose keys are all kept.
CREATE OR REPLACE FUNCTION {schema}.post(
    p_run uuid[], p_kind smallint[], p_name text[], p_key text[], p_payload bytea[]
) RETURNS smallint[]
LANGUAGE sql AS $$
    SELECT {schema}.post_attempts(p_run, p_kind, p_name, p_key, p_payload,
                                  array_fill(0::smallint, ARRAY[cardinality(p_run)]))
$$;
