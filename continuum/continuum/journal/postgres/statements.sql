-- name: time
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint

-- name: register_worker
INSERT INTO {schema}.workers (node, role, pid, namespaces, expires_at)
VALUES (%s, %s, %s, %s::text[], clock_timestamp() + %s * interval '1 second') RETURNING id

-- name: renew
WITH facts AS (
    INSERT INTO {schema}.nodes (node, pid, address, state, processes, workflows, renewed_at)
    SELECT %(node)s::text, %(pid)s::integer, %(address)s::text, %(state)s::text, %(processes)s::jsonb,
           %(workflows)s::text[], clock_timestamp()
    WHERE %(node)s::text IS NOT NULL
    ON CONFLICT (node) DO UPDATE SET pid = excluded.pid, address = excluded.address, state = excluded.state,
        processes = excluded.processes, workflows = excluded.workflows, renewed_at = excluded.renewed_at,
        -- A node that has come back under this name was not the one to stop.
        drain = nodes.drain AND nodes.pid = excluded.pid
    RETURNING drain
), renewed AS (
    UPDATE {schema}.workers SET expires_at = clock_timestamp() + %(ttl)s * interval '1 second'
    WHERE id = ANY (%(workers)s) RETURNING id
)
SELECT ARRAY(SELECT id FROM renewed),
       (SELECT extract(epoch FROM min(w.expires_at) - clock_timestamp())::float8 FROM {schema}.workers w
        WHERE w.id <> ALL (%(workers)s)),
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, coalesce((SELECT drain FROM facts), false)

-- name: expired_workers
SELECT id FROM {schema}.workers WHERE expires_at <= clock_timestamp() ORDER BY id

-- name: node_workers
SELECT id, pid FROM {schema}.workers WHERE node = %s ORDER BY id

-- name: retire_worker
SELECT runs, tasks FROM {schema}.retire_worker(%s, %s, %s, %s, %s::smallint, %s::smallint, %s, %s, %s)

-- name: retire_node
WITH gone AS (
    DELETE FROM {schema}.nodes WHERE node = %(node)s
), freed AS (
    UPDATE {schema}.tasks SET node = NULL WHERE node = %(node)s AND owner IS NULL RETURNING 1
)
SELECT {schema}.hint(%(topic)s, '{}') WHERE EXISTS (SELECT FROM freed)

-- name: drain_node
UPDATE {schema}.nodes SET drain = true WHERE node = %s RETURNING 1

-- name: nodes
SELECT n.node, n.pid, n.address,
       CASE WHEN EXISTS (SELECT FROM {schema}.workers w WHERE w.node = n.node AND w.expires_at > clock_timestamp())
            THEN n.state ELSE 'lost' END,
       (SELECT count(*) FROM {schema}.workers w JOIN {schema}.runs r ON r.owner = w.id AND r.state <= 2
        WHERE w.node = n.node),
       extract(epoch FROM clock_timestamp() - n.renewed_at)::float8, n.processes, n.workflows,
       CASE WHEN NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.node = n.node AND w.namespaces IS NULL)
            THEN (SELECT array_agg(DISTINCT s.namespace ORDER BY s.namespace)
                  FROM {schema}.workers w CROSS JOIN unnest(w.namespaces) AS s (namespace) WHERE w.node = n.node) END
FROM {schema}.nodes n ORDER BY n.node

-- name: start
WITH created AS (
    INSERT INTO {schema}.runs (id, workflow, namespace, input, idempotency_key, attributes, trace_context, due_at)
    SELECT s.*, clock_timestamp() FROM unnest(%(id)s, %(workflow)s, %(namespace)s, %(input)s, %(key)s,
        %(attributes)s::text[]::jsonb[], %(trace)s) AS s (id, workflow, namespace, input, key, attributes, trace)
    -- In one order for every caller (I3): two calls that insert the same keys in two orders would deadlock.
    ORDER BY s.namespace, s.workflow, s.key, s.id
    ON CONFLICT DO NOTHING RETURNING id
), hinted AS (
    SELECT {schema}.hint(%(topic)s, '{}') WHERE EXISTS (SELECT FROM created)
)
SELECT id::text FROM created WHERE (SELECT count(*) FROM hinted) >= 0

-- name: holder
SELECT r.id::text FROM {schema}.runs r
WHERE r.id = %s OR (r.namespace = %s AND r.workflow = %s AND r.idempotency_key = %s) LIMIT 1

-- name: claim
SELECT id::text, token, workflow, version, namespace, input, (extract(epoch FROM started_at) * 1000000)::bigint,
       attempt, trace_context, fresh, parent::text, depth, root::text, held
FROM {schema}.claim_runs(%s, %s, %s, %s, %s, %s, %s, %s)

-- name: next_due
SELECT (extract(epoch FROM {schema}.next_due(%s, %s, %s, %s, %s, %s)) * 1000000)::bigint,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint

-- name: load
SELECT e.run_id::text, e.seq, e.type, (extract(epoch FROM e.at) * 1000000)::bigint, e.payload
FROM unnest(%s, %s) AS wanted (run_id, known)
JOIN {schema}.events e ON e.run_id = wanted.run_id AND e.seq >= wanted.known
ORDER BY e.run_id, e.seq

-- name: snapshots
SELECT s.run_id::text, s.first_seq, s.events, s.payload FROM unnest(%s, %s) AS wanted (run_id, version)
JOIN {schema}.snapshots s ON s.run_id = wanted.run_id AND s.version = wanted.version
WHERE s.format = %s ORDER BY s.run_id, s.first_seq

-- name: save_snapshot
WITH saved AS (
    INSERT INTO {schema}.snapshots (run_id, first_seq, events, format, version, payload) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (run_id, first_seq) DO UPDATE SET events = excluded.events, format = excluded.format,
        version = excluded.version, payload = excluded.payload, taken_at = now()
)
-- Parts of other code, and those that this one takes the place of.
DELETE FROM {schema}.snapshots WHERE run_id = %s AND (first_seq > %s OR version <> %s AND first_seq <> %s)

-- name: commit
SELECT (extract(epoch FROM at) * 1000000)::bigint, rejected::text[]
FROM {schema}.commit_batch(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
                           %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: inbox
SELECT i.id, i.run_id::text, i.kind, i.name, i.payload, i.key
FROM {schema}.inbox i JOIN {schema}.runs r ON r.id = i.run_id
WHERE r.owner IS NOT DISTINCT FROM %(worker)s::bigint AND (%(runs)s::uuid[] IS NULL OR i.run_id = ANY (%(runs)s)) ORDER BY i.id

-- name: release
WITH locked AS MATERIALIZED (
    SELECT id FROM {schema}.runs WHERE id = ANY (%(runs)s) AND owner = %(worker)s AND state <= 2
    ORDER BY depth, id FOR NO KEY UPDATE
), freed AS (
    UPDATE {schema}.runs r
    SET owner = NULL,
        deaths = r.deaths + %(crashed)s::integer,
        state = CASE WHEN %(crashed)s::integer = 1 AND r.deaths + 1 >= %(poison)s THEN 3 ELSE r.state END,
        due_at = CASE WHEN %(crashed)s::integer = 1 AND r.deaths + 1 >= %(poison)s THEN NULL ELSE clock_timestamp() END,
        reason = CASE WHEN %(crashed)s::integer = 1 AND r.deaths + 1 >= %(poison)s
                      THEN 'poison: executing it failed ' || (r.deaths + 1) || ' times inside the engine' ELSE r.reason END,
        fault = CASE WHEN %(crashed)s::integer = 1 AND r.deaths + 1 >= %(poison)s
                     THEN '{"kind": "poison"}' ELSE r.fault END,
        updated_at = clock_timestamp()
    FROM locked WHERE r.id = locked.id RETURNING 1
)
SELECT {schema}.hint(%(topic)s, '{}') WHERE EXISTS (SELECT FROM freed)

-- name: disown_runs
WITH locked AS MATERIALIZED (
    SELECT id FROM {schema}.runs WHERE owner = %(worker)s AND state <= 2 AND id <> ALL (%(keep)s)
    ORDER BY depth, id FOR NO KEY UPDATE
), freed AS (
    UPDATE {schema}.runs r SET owner = NULL, due_at = clock_timestamp(), updated_at = clock_timestamp()
    FROM locked WHERE r.id = locked.id RETURNING 1
), hinted AS (
    SELECT {schema}.hint(%(topic)s, '{}') WHERE EXISTS (SELECT FROM freed)
)
SELECT (SELECT count(*) FROM freed) + 0 * (SELECT count(*) FROM hinted)

-- name: disown_tasks
WITH freed AS (
    UPDATE {schema}.tasks t SET owner = NULL, claimed_at = NULL
    WHERE t.owner = %(worker)s AND NOT EXISTS (
        SELECT FROM unnest(%(runs)s, %(seqs)s) AS k (run_id, seq) WHERE k.run_id = t.run_id AND k.seq = t.seq)
    RETURNING 1
), hinted AS (
    SELECT {schema}.hint(%(topic)s, '{}') WHERE EXISTS (SELECT FROM freed)
)
SELECT (SELECT count(*) FROM freed) + 0 * (SELECT count(*) FROM hinted)

-- name: sweep
-- No lock is waited for: what somebody is at, or another sweep, goes another time.
WITH i AS (
    DELETE FROM {schema}.inbox WHERE ctid = ANY (ARRAY(
        SELECT x.ctid FROM {schema}.inbox x JOIN {schema}.runs r ON r.id = x.run_id AND r.state >= 4
        FOR UPDATE OF x SKIP LOCKED)) RETURNING 1
), t AS (
    DELETE FROM {schema}.tasks WHERE ctid = ANY (ARRAY(
        SELECT x.ctid FROM {schema}.tasks x JOIN {schema}.runs r ON r.id = x.run_id AND r.state >= 4
        FOR UPDATE OF x SKIP LOCKED)) RETURNING 1
), h AS (
    DELETE FROM {schema}.heartbeats WHERE ctid = ANY (ARRAY(
        SELECT x.ctid FROM {schema}.heartbeats x JOIN {schema}.runs r ON r.id = x.run_id AND r.state >= 4
        FOR UPDATE OF x SKIP LOCKED)) RETURNING 1
), d AS (
    DELETE FROM {schema}.deliveries WHERE ctid = ANY (ARRAY(
        SELECT x.ctid FROM {schema}.deliveries x JOIN {schema}.runs r ON r.id = x.run_id AND r.continued_to IS NULL
            AND r.state >= 4 AND r.completed_at < clock_timestamp() - interval '1 day'
        FOR UPDATE OF x SKIP LOCKED))
), c AS (
    -- Those of a chain are kept under its first run, as long as its last one goes on.
    DELETE FROM {schema}.deliveries WHERE ctid = ANY (ARRAY(
        SELECT x.ctid FROM {schema}.deliveries x JOIN {schema}.runs r ON r.root = x.run_id AND r.continued_to IS NULL
            AND r.state >= 4 AND r.completed_at < clock_timestamp() - interval '1 day'
        FOR UPDATE OF x SKIP LOCKED))
), n AS (
    -- Lost nodes are told of for an hour.
    DELETE FROM {schema}.nodes WHERE renewed_at < clock_timestamp() - interval '1 hour'
), s AS (
    DELETE FROM {schema}.snapshots WHERE ctid = ANY (ARRAY(
        SELECT x.ctid FROM {schema}.snapshots x JOIN {schema}.runs r ON r.id = x.run_id AND r.state >= 4
        FOR UPDATE OF x SKIP LOCKED)) RETURNING 1
)
SELECT (SELECT count(*) FROM i) + (SELECT count(*) FROM t) + (SELECT count(*) FROM h) + (SELECT count(*) FROM s)

-- name: remove_retained
SELECT {schema}.remove_retained(%s)

-- name: unblock
WITH locked AS MATERIALIZED (
    SELECT id FROM {schema}.runs
    WHERE state = 3 AND workflow = ANY (%(workflows)s) AND (%(runs)s::uuid[] IS NULL OR id = ANY (%(runs)s))
    ORDER BY depth, id FOR NO KEY UPDATE
), freed AS (
    UPDATE {schema}.runs r SET state = 1, due_at = clock_timestamp(), deaths = 0, reason = NULL, fault = NULL,
        updated_at = clock_timestamp()
    FROM locked WHERE r.id = locked.id RETURNING 1
), hinted AS (
    SELECT {schema}.hint(%(topic)s, '{}') WHERE EXISTS (SELECT FROM freed)
)
SELECT (SELECT count(*) FROM freed) + 0 * (SELECT count(*) FROM hinted)

-- name: post
SELECT {schema}.post(%s, %s, %s, %s, %s, %s::smallint, %s::smallint, %s, %s, %s)

-- name: force_cancel
SELECT {schema}.force_cancel(%s, %s, %s, %s)

-- name: claim_tasks
SELECT run_id::text, seq, dispatch, attempt, queue, activity, arguments, timeout, key, held
FROM {schema}.claim_tasks(%s, %s, %s, %s, %s, %s, %s, %s)

-- name: answer_tasks
SELECT {schema}.answer_tasks(%s, %s, %s, %s, %s, %s, %s::smallint, %s, %s)

-- name: heartbeat
INSERT INTO {schema}.heartbeats AS h (run_id, seq, details) VALUES (%s, %s, %s)
ON CONFLICT (run_id, seq) DO UPDATE SET details = excluded.details
RETURNING EXISTS (SELECT FROM {schema}.tasks t WHERE t.run_id = h.run_id AND t.seq = h.seq)

-- name: last_heartbeats
SELECT seq, details FROM {schema}.heartbeats WHERE run_id = %s

-- name: recall
SELECT result FROM {schema}.activity_results WHERE activity = %s AND key = %s

-- name: remember
INSERT INTO {schema}.activity_results (activity, key, run_id, result) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING

-- name: run_columns
SELECT r.id::text, r.workflow, r.version, r.namespace, r.state, r.input, r.result, r.error, r.reason, r.attributes,
       r.idempotency_key, r.trace_context, r.owner, (extract(epoch FROM r.started_at) * 1000000)::bigint,
       (extract(epoch FROM r.updated_at) * 1000000)::bigint, (extract(epoch FROM r.completed_at) * 1000000)::bigint,
       (extract(epoch FROM r.due_at) * 1000000)::bigint, r.parent_id::text, coalesce(r.root, r.id)::text,
       r.continued_from::text, r.continued_to::text, r.fault
FROM {schema}.runs r

-- name: set_attributes
UPDATE {schema}.runs SET attributes = attributes || %s::jsonb, updated_at = clock_timestamp()
WHERE id = {schema}.tip(%s) AND continued_to IS NULL

-- name: register_versions
INSERT INTO {schema}.versions AS v (workflow, version, label, module, signals, source, retention, registered_at)
SELECT n.workflow, n.version, n.label, n.module, n.signals::jsonb, n.source, n.retention, now()
FROM unnest(%s, %s, %s, %s, %s, %s, %s) AS n (workflow, version, label, module, signals, source, retention)
ON CONFLICT (workflow, version) DO UPDATE SET label = excluded.label, module = excluded.module,
    signals = excluded.signals, source = coalesce(v.source, excluded.source), retention = excluded.retention,
    registered_at = excluded.registered_at

-- name: versions
WITH open AS (
    -- Three parts, because each has an index and ended runs are in none.
    SELECT o.workflow, o.version, count(*) AS runs FROM (
        SELECT r.workflow, r.version FROM {schema}.runs r WHERE r.owner IS NULL AND r.state <= 2 AND r.refused IS NULL
        UNION ALL
        SELECT r.workflow, r.version FROM {schema}.runs r
        WHERE r.owner IS NULL AND r.state <= 2 AND r.refused IS NOT NULL
        UNION ALL SELECT r.workflow, r.version FROM {schema}.runs r WHERE r.owner IS NOT NULL
        UNION ALL SELECT r.workflow, r.version FROM {schema}.runs r WHERE r.state = 3
    ) o WHERE o.version IS NOT NULL GROUP BY o.workflow, o.version
)
SELECT workflow, version, coalesce(v.label, ''), coalesce(v.module, ''), v.signals,
       coalesce((extract(epoch FROM v.registered_at) * 1000000)::bigint, 0), coalesce(o.runs, 0),
       v.retention
FROM {schema}.versions v FULL JOIN open o USING (workflow, version)
ORDER BY workflow, v.registered_at NULLS FIRST, version

-- name: version_source
SELECT source FROM {schema}.versions WHERE workflow = %s AND version = %s

-- name: forget_versions
DELETE FROM {schema}.versions v USING (SELECT DISTINCT * FROM unnest(%s, %s) AS u (workflow, version)) f
WHERE v.workflow = f.workflow AND v.version = f.version
  AND NOT EXISTS (SELECT FROM {schema}.runs r
                  WHERE r.workflow = f.workflow AND r.version = f.version AND r.state <= 3)
RETURNING 1

-- name: refusals
SELECT version, reason, fault FROM {schema}.refusals WHERE run_id = %s ORDER BY refused_at, version

-- name: signals_of
SELECT v.signals FROM {schema}.runs r JOIN {schema}.versions v ON v.workflow = r.workflow
WHERE r.id = {schema}.tip(%s) AND (r.version IS NULL OR v.version = r.version)
-- Of the labels that one node noted together, the largest number is current.
ORDER BY v.registered_at DESC, length(v.label) DESC, v.label DESC LIMIT 1

-- name: read_cells
SELECT c.name, c.value, (extract(epoch FROM c.changed_at) * 1000000)::bigint
FROM {schema}.runs r JOIN {schema}.cells c ON c.root = coalesce(r.root, r.id) AND c.name = ANY (%s)
WHERE r.id = %s
