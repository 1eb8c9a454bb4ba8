-- Why an action on many runs leaves some as they are: what a preview says before, and what an operation says of those it has
-- skipped. The words are those of `operation_reasons.py`.

-- Whether the code of a run, the latest of its workflow for one without a version, takes a signal.
CREATE OR REPLACE FUNCTION {schema}.declares_signal(p_workflow text, p_version text, p_signal text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN coalesce((
        SELECT v.signals IS NULL OR jsonb_typeof(v.signals) <> 'object' OR v.signals ? p_signal FROM {schema}.versions v
        WHERE v.workflow = p_workflow AND (p_version IS NULL OR v.version = p_version)
        ORDER BY v.registered_at DESC, length(v.label) DESC, v.label DESC LIMIT 1), true);
END
$$;

-- Why an action would do nothing to each of these runs, as the latest run of its chain is now; NULL if it would, or if that is only
-- found out by doing it.
CREATE OR REPLACE FUNCTION {schema}.why_unchanged(p_action text, p_arguments jsonb, p_runs uuid[]) RETURNS text[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    RETURN ARRAY(
        SELECT CASE
            WHEN r.id IS NULL THEN 'it has been removed'
            WHEN p_action IN ('attributes', 'reset', 'fork') THEN NULL
            WHEN p_action = 'restart' THEN CASE WHEN r.state <> {state.failed} THEN 'it has not failed' END
            WHEN p_action = 'unblock' THEN CASE WHEN r.state <> {state.blocked} THEN 'it is not blocked' END
            WHEN p_action = 'delete' THEN CASE
                WHEN r.state {is_open} THEN 'it is open'
                WHEN EXISTS (SELECT FROM {schema}.runs p WHERE p.id = r.parent_id AND p.state {is_open})
                THEN 'its parent is open, and may read it' END
            WHEN r.state {is_terminal} THEN 'it has ended'
            WHEN p_action = 'cancel' AND EXISTS (
                SELECT FROM {schema}.inbox i
                WHERE i.run_id = r.id AND i.kind = {kind.cancel} AND i.key = 'cancel' AND i.name = 'cancel')
                AND NOT {schema}.is_paused(r.id)
            THEN 'it has been asked to stop'
            WHEN p_action = 'signal' AND NOT {schema}.declares_signal(r.workflow, r.version, p_arguments ->> 'signal')
            THEN 'its code does not declare the signal'
            WHEN p_action = 'pause' AND r.paused_at IS NOT NULL THEN 'it is paused by itself'
            WHEN p_action = 'resume' AND r.paused_at IS NULL THEN 'it is not paused by itself'
        END
        FROM unnest(p_runs) WITH ORDINALITY AS u (id, place)
        LEFT JOIN LATERAL (SELECT x.id, x.continued_to FROM {schema}.runs x WHERE x.id = u.id OFFSET 0) f ON true
        LEFT JOIN LATERAL (
            SELECT x.id, x.state, x.parent_id, x.workflow, x.version, x.paused_at FROM {schema}.runs x
            WHERE x.id = CASE WHEN f.continued_to IS NULL THEN f.id ELSE {schema}.latest_of_chain(f.id) END OFFSET 0
        ) r ON true
        ORDER BY u.place);
END
$$;

-- Add the reasons of some runs to a list of reasons; a reason is NULL if it is not known. The list has at most twenty different
-- reasons, and each names at most five of its runs.
CREATE OR REPLACE FUNCTION {schema}.with_reasons(p_reasons jsonb, p_runs uuid[], p_outcomes text[], p_whys text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_reasons jsonb := p_reasons;
    v_found record;
    v_why text;
    v_place integer;
BEGIN
    FOR v_found IN
        SELECT x.outcome, x.why, count(*) AS number, (array_agg(x.run ORDER BY x.place))[1:5] AS runs
        FROM (
            SELECT u.run, u.place, CASE u.outcome WHEN 'failed' THEN 'failed' ELSE 'skipped' END AS outcome,
                   left(replace(coalesce(u.why, 'it was being changed'), u.run::text, 'RUN'), 500) AS why
            FROM unnest(p_runs, p_outcomes, p_whys) WITH ORDINALITY AS u (run, outcome, why, place)
            WHERE u.outcome <> 'done'
        ) x GROUP BY x.outcome, x.why ORDER BY min(x.place)
    LOOP
        v_why := v_found.why;
        v_place := {schema}.place_of_reason(v_reasons, v_found.outcome, v_why);
        IF v_place IS NULL AND jsonb_array_length(v_reasons) >= 20 THEN
            v_why := 'other reasons';
            v_place := {schema}.place_of_reason(v_reasons, v_found.outcome, v_why);
        END IF;
        IF v_place IS NULL THEN
            v_reasons := v_reasons || jsonb_build_array(jsonb_build_object(
                'outcome', v_found.outcome, 'why', v_why, 'count', v_found.number, 'runs', v_found.runs));
        ELSE
            v_reasons := jsonb_set(v_reasons, ARRAY[v_place::text], v_reasons -> v_place || jsonb_build_object(
                'count', (v_reasons -> v_place ->> 'count')::bigint + v_found.number,
                'runs', jsonb_path_query_array(v_reasons -> v_place -> 'runs' || to_jsonb(v_found.runs), '$[0 to 4]')));
        END IF;
    END LOOP;
    RETURN v_reasons;
END
$$;

-- The place of a reason in a list of them, from 0.
CREATE OR REPLACE FUNCTION {schema}.place_of_reason(p_reasons jsonb, p_outcome text, p_why text) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT r.place::integer - 1 FROM jsonb_array_elements(p_reasons) WITH ORDINALITY AS r (value, place)
    WHERE r.value ->> 'outcome' = p_outcome AND r.value ->> 'why' = p_why LIMIT 1
$$;
