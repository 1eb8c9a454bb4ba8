-- The groups of runs that claims take turns between. Each step finds the next group that has runs, or the next one that
-- the loaded code could take, through an index. So a walk takes as many steps as there are such groups, however much code
-- is loaded and whatever waits for other code.

-- Groups of runs that no code has refused, in their order: up to p_most that have a run to take, those after p_after
-- first. Runs of loaded versions are taken if they are ready by p_by. For `others` the code is of another version, and
-- takes them if they are ready by p_others_by. Runs of paused workflows and namespaces are in no group.
CREATE OR REPLACE FUNCTION {schema}.ready_groups(
    p_workflows text[], p_versions text[], p_current boolean[], p_others boolean[], p_namespaces text[],
    p_by timestamptz, p_others_by timestamptz, p_after text[], p_most integer
) RETURNS SETOF {schema}.claim_group
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_group {schema}.claim_group;
    -- Where the next step begins, and what it goes past there.
    v_workflow text := coalesce(p_after[1], '');
    v_version text := coalesce(p_after[2], '');
    v_namespace text := coalesce(p_after[3], '');
    v_past text := 'group';
    v_again boolean := p_after IS NOT NULL;
    v_found integer := 0;
    v_pauses boolean := EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue');
    -- What is loaded for this code.
    v_code text[];
    v_loaded boolean;
    v_next text;
BEGIN
    WHILE v_found < p_most LOOP
        CASE v_past
        WHEN 'group' THEN
            SELECT x.workflow, coalesce(x.version, ''), x.namespace, x.ready_at
            INTO v_group.workflow, v_group.version, v_group.namespace, v_group.since
            FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NULL
              AND (x.workflow, coalesce(x.version, ''), x.namespace) > (v_workflow, v_version, v_namespace)
            ORDER BY x.workflow, coalesce(x.version, ''), x.namespace, x.ready_at LIMIT 1;
        WHEN 'version' THEN
            SELECT x.workflow, coalesce(x.version, ''), x.namespace, x.ready_at
            INTO v_group.workflow, v_group.version, v_group.namespace, v_group.since
            FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NULL
              AND (x.workflow, coalesce(x.version, '')) > (v_workflow, v_version)
            ORDER BY x.workflow, coalesce(x.version, ''), x.namespace, x.ready_at LIMIT 1;
        WHEN 'nothing' THEN
            SELECT x.workflow, coalesce(x.version, ''), x.namespace, x.ready_at
            INTO v_group.workflow, v_group.version, v_group.namespace, v_group.since
            FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NULL
              AND (x.workflow, coalesce(x.version, ''), x.namespace) >= (v_workflow, v_version, v_namespace)
            ORDER BY x.workflow, coalesce(x.version, ''), x.namespace, x.ready_at LIMIT 1;
        ELSE
            v_group.workflow := NULL;
        END CASE;
        IF v_group.workflow IS NULL OR (NOT v_again AND (v_group.workflow, v_group.version, v_group.namespace)
                                                        > (p_after[1], p_after[2], p_after[3])) THEN
            EXIT WHEN NOT v_again;
            -- From the beginning, up to where it began.
            v_again := false;
            v_workflow := '';
            v_version := '';
            v_namespace := '';
            v_past := 'group';
            CONTINUE;
        END IF;
        v_workflow := v_group.workflow;
        v_version := v_group.version;
        v_namespace := v_group.namespace;
        v_past := 'group';
        IF v_code IS DISTINCT FROM ARRAY[v_workflow, v_version] THEN
            v_code := ARRAY[v_workflow, v_version];
            SELECT bool_or(CASE WHEN v_version = '' THEN c.is_current ELSE c.version = v_version END),
                   v_version <> '' AND bool_or(c.others), min(c.version) FILTER (WHERE c.version > v_version)
            INTO v_loaded, v_group.others, v_next
            FROM unnest(p_workflows, p_versions, p_current, p_others) AS c (workflow, version, is_current, others)
            WHERE c.workflow = v_workflow;
            v_group.others := v_group.others AND NOT v_loaded;
        END IF;
        IF v_loaded IS NULL THEN
            v_workflow := (SELECT min(c.workflow) FROM unnest(p_workflows) AS c (workflow) WHERE c.workflow > v_workflow);
            v_version := '';
            v_namespace := '';
            v_past := CASE WHEN v_workflow IS NULL THEN 'everything' ELSE 'nothing' END;
        ELSIF NOT (v_loaded OR v_group.others) THEN
            v_version := coalesce(v_next, v_version);
            v_namespace := '';
            v_past := CASE WHEN v_next IS NULL THEN 'version' ELSE 'nothing' END;
        ELSIF v_namespace <> ALL (p_namespaces) THEN
            v_namespace := (SELECT min(s.namespace) FROM unnest(p_namespaces) AS s (namespace)
                            WHERE s.namespace > v_namespace);
            v_past := CASE WHEN v_namespace IS NULL THEN 'version' ELSE 'nothing' END;
        ELSIF v_pauses AND {schema}.paused_together(v_workflow, v_namespace, NULL) THEN
            CONTINUE;
        ELSIF v_group.since <= (CASE WHEN v_group.others THEN p_others_by ELSE p_by END) THEN
            v_found := v_found + 1;
            RETURN NEXT v_group;
        END IF;
    END LOOP;
END
$$;

-- The same for runs that some code has refused; code takes none of those that all of it has refused. A group is of runs
-- that the same code has refused. In the order of the index the code that refused last comes before the version, so what
-- this code has refused last is one step, of however many versions it is.
CREATE OR REPLACE FUNCTION {schema}.refused_groups(
    p_workflows text[], p_versions text[], p_others boolean[], p_namespaces text[],
    p_by timestamptz, p_others_by timestamptz, p_most integer
) RETURNS SETOF {schema}.claim_group
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_group {schema}.claim_group;
    v_workflow text := '';
    v_last text := '';
    v_version text := '';
    v_refused text[] := '{}';
    v_namespace text := '';
    v_past text := 'group';
    v_found integer := 0;
    v_pauses boolean := EXISTS (SELECT FROM {schema}.pauses p WHERE p.kind <> 'queue');
    v_loaded text[];
    v_trying text[];
BEGIN
    WHILE v_found < p_most LOOP
        CASE v_past
        WHEN 'group' THEN
            SELECT x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                   x.namespace, x.ready_at
            INTO v_group.workflow, v_last, v_group.version, v_group.refused, v_group.namespace, v_group.since
            FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NOT NULL
              AND (x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                   x.namespace) > (v_workflow, v_last, v_version, v_refused, v_namespace)
            ORDER BY x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                     x.namespace, x.ready_at LIMIT 1;
        WHEN 'refusal' THEN
            SELECT x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                   x.namespace, x.ready_at
            INTO v_group.workflow, v_last, v_group.version, v_group.refused, v_group.namespace, v_group.since
            FROM {schema}.runs x WHERE x.ready_at IS NOT NULL AND x.refused IS NOT NULL
              AND (x.workflow, coalesce(x.refused[cardinality(x.refused)], '')) > (v_workflow, v_last)
            ORDER BY x.workflow, coalesce(x.refused[cardinality(x.refused)], ''), coalesce(x.version, ''), x.refused,
                     x.namespace, x.ready_at LIMIT 1;
        END CASE;
        EXIT WHEN v_group.workflow IS NULL;
        v_workflow := v_group.workflow;
        v_version := v_group.version;
        v_refused := v_group.refused;
        v_namespace := v_group.namespace;
        v_past := 'group';
        SELECT array_agg(c.version), coalesce(array_agg(c.version) FILTER (WHERE c.others), '{}') INTO v_loaded, v_trying
        FROM unnest(p_workflows, p_versions, p_others) AS c (workflow, version, others) WHERE c.workflow = v_workflow;
        v_group.others := v_version <> ALL (v_loaded);
        IF v_loaded IS NULL THEN
            v_workflow := (SELECT min(c.workflow) FROM unnest(p_workflows) AS c (workflow) WHERE c.workflow > v_workflow);
            EXIT WHEN v_workflow IS NULL;
            v_last := '';
            v_version := '';
            v_refused := '{}';
            v_namespace := '';
        ELSIF v_group.others AND v_trying <@ ARRAY[v_last] THEN
            v_version := (SELECT min(l.version) FROM unnest(v_loaded) AS l (version) WHERE l.version > v_version);
            v_refused := '{}';
            v_namespace := '';
            v_past := CASE WHEN v_version IS NULL THEN 'refusal' ELSE 'group' END;
        ELSIF v_pauses AND {schema}.paused_together(v_workflow, v_namespace, NULL) THEN
            CONTINUE;
        ELSIF (p_namespaces IS NULL OR v_namespace = ANY (p_namespaces)) AND NOT (v_group.others AND v_trying <@ v_refused)
              AND v_group.since <= (CASE WHEN v_group.others THEN p_others_by ELSE p_by END) THEN
            v_found := v_found + 1;
            RETURN NEXT v_group;
        END IF;
    END LOOP;
END
$$;
