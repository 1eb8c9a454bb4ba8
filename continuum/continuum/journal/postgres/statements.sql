-- The statements of the adapter: each has a name and a line of intent, and `statements.py` loads them by name.
-- A CTE with a plain SELECT runs only when something reads it, so a statement that notifies in one adds its row count
-- times zero to a result.

-- name: time
-- The server's time.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint

-- name: connection_room
-- What the server accepts from those who are no superusers, what the nodes of late may open, what all others have.
SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
           - coalesce(current_setting('reserved_connections', true), '0')::integer,
       (SELECT coalesce(sum(CASE WHEN jsonb_typeof(n.processes -> 0 -> 3) = 'number'
                                 THEN (n.processes -> 0 ->> 3)::numeric END), 0)::integer
        FROM {schema}.nodes n WHERE n.renewed_at > clock_timestamp() - interval '1 minute'),
       (SELECT count(*)::integer FROM pg_stat_activity a
        WHERE a.datid IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend'
          AND coalesce(a.application_name, '') !~ '^continuum (run_host|activity_host|control|node) ')

-- name: register_worker
-- A new worker with a lease; its id is new as well.
INSERT INTO {schema}.workers (node, role, pid, namespaces, channel, expires_at)
VALUES (%s, %s, %s, %s::text[], %s, clock_timestamp() + %s * interval '1 second') RETURNING id

-- part: renewal
-- What each renewal writes: leases, what the node is, and its report.
-- Those who look at the node have a row of their own: it gets the report, if one was gathered, and says whether they still
-- look. The row is as it was before this statement, so that what it answers counts as answered.
WITH facts AS (
    INSERT INTO {schema}.nodes (node, pid, address, state, processes, workflows, about, renewed_at)
    SELECT %(node)s::text, %(pid)s::integer, %(address)s::text, %(state)s::text, %(processes)s::jsonb,
           %(workflows)s::text[],
           %(about)s::jsonb || jsonb_build_object('clock_ahead', %(clock)s::float8 - extract(epoch FROM clock_timestamp())::float8),
           clock_timestamp()
    WHERE %(node)s::text IS NOT NULL
    ON CONFLICT (node) DO UPDATE SET pid = excluded.pid, address = excluded.address, state = excluded.state,
        processes = excluded.processes, workflows = excluded.workflows, about = excluded.about, renewed_at = excluded.renewed_at,
        -- A drain was meant for the process that had the name then, not for one that came back under it.
        drain = nodes.drain AND nodes.pid = excluded.pid
    RETURNING drain
), renewed AS (
    UPDATE {schema}.workers
    SET expires_at = clock_timestamp() + %(ttl)s * interval '1 second', renewed_at = clock_timestamp()
    WHERE id = ANY (%(workers)s) RETURNING id
), reported AS (
    UPDATE {schema}.node_reports
    SET report = %(report)s::jsonb, reported_at = clock_timestamp(),
        stacks = coalesce(%(stacks)s::jsonb, stacks),
        stacks_told = CASE WHEN %(stacks)s::jsonb IS NULL THEN stacks_told ELSE %(stacks_for)s::bigint END,
        stacks_at = CASE WHEN %(stacks)s::jsonb IS NULL THEN stacks_at ELSE clock_timestamp() END
    WHERE %(report)s::jsonb IS NOT NULL AND node = %(node)s::text
)

-- part: renewal_outcome
-- Which leases were extended, and what the node learns with that.
SELECT ARRAY(SELECT id FROM renewed),
       -- A lease until infinity, which somebody wrote by hand, never expires, and an interval to it is an error.
       (SELECT extract(epoch FROM min(w.expires_at) - clock_timestamp())::float8 FROM {schema}.workers w
        WHERE w.id <> ALL (%(workers)s) AND isfinite(w.expires_at)),
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, coalesce((SELECT drain FROM facts), false),
       (SELECT CASE WHEN r.stacks_asked > greatest(r.stacks_told, %(stacks_for)s::bigint) THEN r.stacks_asked ELSE 0 END
        FROM {schema}.node_reports r
        -- A time so far ahead was written by hand.
        WHERE r.node = %(node)s::text AND r.wanted_until > clock_timestamp() AND r.wanted_until < clock_timestamp() + interval '1 hour')

-- name: renew
-- Extend the leases of these workers and report what the node is; without a node, only the leases.
{part.renewal}
{part.renewal_outcome}

-- name: expired_workers
-- The workers whose lease has run out.
SELECT id FROM {schema}.workers WHERE expires_at <= clock_timestamp() ORDER BY id

-- name: node_workers
-- The workers of a node.
SELECT id, pid FROM {schema}.workers WHERE node = %s ORDER BY id

-- name: retire_worker
-- Take a worker's lease away and release its runs and tasks.
SELECT runs, tasks FROM {schema}.end_dead_worker(%s, %s, %s, %s, %s, %s)

-- name: interrupt_activities
-- Report to runs which of their activities an orderly stop of a worker interrupts.
SELECT {schema}.interrupt_activities(%s, %s, %s, %s)

-- name: retire_node
-- Forget a node that has stopped; any node may claim what was for it alone.
WITH gone AS (
    DELETE FROM {schema}.nodes WHERE node = %(node)s
), unwatched AS (
    DELETE FROM {schema}.node_reports WHERE node = %(node)s
), released AS (
    UPDATE {schema}.tasks SET node = NULL WHERE node = %(node)s AND owner IS NULL RETURNING 1
)
SELECT {schema}.notify('tasks', '{}') WHERE EXISTS (SELECT FROM released)

-- name: drain_node
-- Ask a node to stop in order.
UPDATE {schema}.nodes SET drain = true WHERE node = %s RETURNING 1

-- name: drain_node_recorded
-- Ask a node to stop in order, and record who asks.
SELECT {schema}.drain_node_recorded(%s, %s::jsonb)

-- name: nodes
-- Every node with its state, what its workers own and the namespaces that they claim from.
-- Owned runs are counted in the index of owners alone: whatever has an owner is active.
SELECT n.node, n.pid, n.address,
       CASE WHEN EXISTS (SELECT FROM {schema}.workers w WHERE w.node = n.node AND w.expires_at > clock_timestamp())
            THEN n.state ELSE 'lost' END,
       o.runs,
       CASE WHEN isfinite(n.renewed_at) THEN extract(epoch FROM clock_timestamp() - n.renewed_at)::float8 ELSE 0 END, n.processes, n.workflows,
       CASE WHEN NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.node = n.node AND w.namespaces IS NULL)
            THEN (SELECT array_agg(DISTINCT s.namespace ORDER BY s.namespace)
                  FROM {schema}.workers w CROSS JOIN unnest(w.namespaces) AS s (namespace) WHERE w.node = n.node) END,
       o.workers, CASE WHEN n.about ->> 'pid' = n.pid::text THEN n.about END
FROM {schema}.nodes n CROSS JOIN LATERAL (
    SELECT coalesce(sum(w.runs), 0)::bigint AS runs,
           coalesce(jsonb_agg(jsonb_build_array(w.role, w.pid, w.runs,
               (SELECT coalesce(jsonb_object_agg(q.queue, q.tasks), '{}') FROM (
                   SELECT t.queue, count(*) AS tasks FROM {schema}.tasks t WHERE t.owner = w.id GROUP BY t.queue) q))
               ORDER BY w.id), '[]') AS workers
    FROM (
        SELECT x.id, x.role, x.pid, (SELECT count(*) FROM {schema}.runs r WHERE r.owner = x.id) AS runs
        FROM {schema}.workers x WHERE x.node = n.node OFFSET 0
    ) w
) o ORDER BY n.node

-- name: start
-- Create runs, except those whose id or idempotency key is taken.
-- With an announcement, which one run by itself may have, one worker that lives and has its code receives that;
-- otherwise all workers are notified.
WITH created AS (
    INSERT INTO {schema}.runs (id, workflow, namespace, input, idempotency_key, attributes, trace_context, due_at)
    SELECT s.id, s.workflow, s.namespace, s.input, s.key, s.attributes, s.trace, clock_timestamp()
    FROM unnest(%(id)s, %(workflow)s, %(namespace)s, %(input)s, %(key)s, %(attributes)s::text[]::jsonb[], %(trace)s)
        WITH ORDINALITY AS s (id, workflow, namespace, input, key, attributes, trace, place)
    -- In one order for every caller (I3): two calls that insert the same keys in two orders would deadlock.
    -- Of runs with one key in one call the first is created.
    ORDER BY s.namespace, s.workflow, s.key, CASE WHEN s.key IS NULL THEN s.id END, s.place
    ON CONFLICT DO NOTHING RETURNING id, started_at
), told AS (
    SELECT w.channel
    FROM unnest(%(workflow)s, %(namespace)s) AS s (workflow, namespace), {schema}.workers w
    JOIN {schema}.nodes n ON n.node = w.node
    WHERE %(announcement)s::text IS NOT NULL AND w.channel IS NOT NULL AND n.state = 'up'
      AND s.workflow = ANY (n.workflows) AND (w.namespaces IS NULL OR s.namespace = ANY (w.namespaces))
      -- It has renewed its lease of late.
      AND clock_timestamp() < w.renewed_at + (w.expires_at - w.renewed_at) / 2
      AND NOT (EXISTS (SELECT FROM {schema}.pauses) AND {schema}.paused_together(s.workflow, s.namespace, NULL))
    ORDER BY random() LIMIT 1
), notified AS (
    SELECT CASE WHEN t.channel IS NULL THEN {schema}.notify('work', '{}')
                ELSE pg_notify(t.channel, (extract(epoch FROM c.started_at) * 1000000)::bigint || ' ' || %(announcement)s::text)
           END
    FROM (SELECT min(created.started_at) AS started_at FROM created HAVING count(*) > 0) c LEFT JOIN told t ON true
)
SELECT id::text FROM created WHERE (SELECT count(*) FROM notified) >= 0

-- name: start_recorded
-- Create runs, except those whose id or idempotency key is taken, and record who starts them.
SELECT unnest({schema}.start_recorded(%(id)s, %(workflow)s, %(namespace)s, %(input)s, %(key)s,
                                      %(attributes)s::text[]::jsonb[], %(trace)s, %(audit)s::text[]::jsonb[]))::text

-- name: announce_work
-- Notify every worker that runs may have become claimable.
SELECT {schema}.notify('work', '{}')

-- name: draw_tokens
-- Fencing tokens that no claim will get.
SELECT nextval('{schema}.fencing_token') FROM generate_series(1, %s)

-- name: existing_run
-- The run that has the id or the idempotency key of a run that was not created.
SELECT r.id::text FROM {schema}.runs r
WHERE r.id = %s OR (r.namespace = %s AND r.workflow = %s AND r.idempotency_key = %s) LIMIT 1

-- name: claim
-- Own runs that are due and that the code can execute, in turns.
SELECT id::text, token, workflow, version, namespace, input,
       CASE WHEN started_at BETWEEN '1970-01-01Z' AND '9999-12-31Z' THEN (extract(epoch FROM started_at) * 1000000)::bigint
            ELSE -1 END,
       attempt, trace_context, fresh, parent::text, depth, root::text, reached, held
FROM {schema}.claim_in_turn(%s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: next_due
-- When the next run is due that a claim with the same arguments takes.
-- A run that is due at infinity never is.
SELECT (extract(epoch FROM CASE WHEN isfinite(d.due) THEN d.due END) * 1000000)::bigint,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
FROM {schema}.next_due(%s, %s, %s, %s, %s, %s) AS d (due)

-- name: look
-- What a node would be notified of. Whatever the settings of the session, the answer reads the same.
SELECT l.due, l.tasks, l.mail, l.mailed, l.newest, l.suspects, l.at, cardinality({schema}.paused_runs_of(a.workers)) > 0
FROM (SELECT %s::text AS node, %s::bigint[] AS workers) a
CROSS JOIN LATERAL {schema}.look(a.node, a.workers, %s, %s, %s, %s, %s, %s, %s, %s) l

-- name: load
-- Histories, each from a seq on.
-- The row with that event may begin before it; a row of several events has their number, negated, as its type.
SELECT e.run_id::text, e.seq, e.type,
       CASE WHEN e.at BETWEEN '1970-01-01Z' AND '9999-12-31Z' THEN (extract(epoch FROM e.at) * 1000000)::bigint END,
       e.payload
FROM (
    SELECT w.run_id, w.known, CASE WHEN w.known > 0 THEN (
        SELECT x.seq FROM {schema}.events x WHERE x.run_id = w.run_id AND x.seq <= w.known ORDER BY x.seq DESC LIMIT 1)
    END AS begins
    FROM unnest(%s, %s) AS w (run_id, known) OFFSET 0
) AS wanted
JOIN {schema}.events e ON e.run_id = wanted.run_id AND e.seq >= coalesce(wanted.begins, wanted.known)
WHERE e.seq::bigint + greatest(1, -(e.type::integer)) > wanted.known
ORDER BY e.run_id, e.seq

-- name: rows_with
-- The rows with these events.
SELECT w.run_id::text, e.seq, e.type, e.payload FROM unnest(%s, %s) AS w (run_id, seq)
CROSS JOIN LATERAL (
    SELECT x.seq, x.type, x.payload FROM {schema}.events x WHERE x.run_id = w.run_id AND x.seq <= w.seq
    ORDER BY x.seq DESC LIMIT 1
) e

-- name: snapshots
-- The parts of snapshots that this code can replay.
SELECT s.run_id::text, s.first_seq, s.events, s.payload FROM unnest(%s, %s) AS wanted (run_id, version)
JOIN {schema}.snapshots s ON s.run_id = wanted.run_id AND s.version = wanted.version
WHERE s.format = %s ORDER BY s.run_id, s.first_seq

-- name: save_snapshot
-- Store one part of a snapshot.
WITH saved AS (
    INSERT INTO {schema}.snapshots (run_id, first_seq, events, format, version, payload) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (run_id, first_seq) DO UPDATE SET events = excluded.events, format = excluded.format,
        version = excluded.version, payload = excluded.payload, taken_at = now()
)
-- Remove parts of other code, and those that this one replaces.
DELETE FROM {schema}.snapshots WHERE run_id = %s AND (first_seq > %s OR version <> %s AND first_seq <> %s)

-- name: commit
-- Make a batch of writes durable; no row when the worker's lease is lost.
SELECT (extract(epoch FROM at) * 1000000)::bigint, rejected::text[]
FROM {schema}.commit_batch(%s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: commit_limited
-- Make a batch of writes durable that has tasks with limits of their own.
SELECT (extract(epoch FROM at) * 1000000)::bigint, rejected::text[]
FROM {schema}.commit_limited_batch(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: commit_takes
-- Make a batch of writes durable that take runs which nobody owns.
SELECT (extract(epoch FROM at) * 1000000)::bigint, rejected::text[]
FROM {schema}.commit_taking_batch(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: commit_creates
-- Make a batch of writes durable some of which create their runs.
SELECT (extract(epoch FROM at) * 1000000)::bigint, rejected::text[]
FROM {schema}.commit_creating_batch(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)


-- name: commit_resumes
-- Make a batch of writes durable that take runs which mail has woken.
SELECT (extract(epoch FROM at) * 1000000)::bigint, rejected::text[]
FROM {schema}.commit_resuming_batch(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: parked
-- Runs that a first write may take, each with a token, its history and its mail, as they are at one moment.
-- A history that is longer than the limit is left to claims.
SELECT r.id::text, nextval('{schema}.fencing_token'), r.workflow, r.version, r.namespace, r.input,
       CASE WHEN r.started_at BETWEEN '1970-01-01Z' AND '9999-12-31Z' THEN (extract(epoch FROM r.started_at) * 1000000)::bigint
            ELSE -1 END,
       r.attempt, r.trace_context, coalesce(r.root, r.id)::text, r.token,
       h.seqs, h.types, h.times, h.payloads, m.ids, m.kinds, m.names, m.payloads, m.keys
FROM unnest((SELECT %s)::uuid[]) AS named (id)
CROSS JOIN LATERAL (
    SELECT x.* FROM {schema}.runs x
    WHERE x.id = named.id AND x.owner IS NULL AND x.paused_at IS NULL AND x.state = {state.suspended} AND x.depth = 0 AND x.parent_id IS NULL
      AND x.version IS NOT NULL AND x.refused IS NULL AND NOT {schema}.kept_apart(x.id, x.workflow)
      AND NOT {schema}.paused_together(x.workflow, x.namespace, x.pause_lifted_at) OFFSET 0
) r
CROSS JOIN LATERAL (
    SELECT array_agg(e.seq) AS seqs, array_agg(e.type) AS types, array_agg(e.at) AS times, array_agg(e.payload) AS payloads,
           sum(greatest(1, -(e.type::integer))) AS events
    FROM (
        SELECT y.seq, y.type, y.payload,
               CASE WHEN y.at BETWEEN '1970-01-01Z' AND '9999-12-31Z' THEN (extract(epoch FROM y.at) * 1000000)::bigint END AS at
        FROM {schema}.events y WHERE y.run_id = r.id ORDER BY y.seq LIMIT {limit.parked_events} + 1
    ) e
) h
CROSS JOIN LATERAL (
    SELECT array_agg(i.id) AS ids, array_agg(i.kind) AS kinds, array_agg(i.name) AS names, array_agg(i.payload) AS payloads,
           array_agg(i.key) AS keys
    FROM (SELECT z.* FROM {schema}.inbox z WHERE z.run_id = r.id ORDER BY z.id) i
) m
WHERE coalesce(h.events, 0) <= {limit.parked_events}

-- name: inbox
-- The inbox entries of all runs that a worker owns, oldest first. The index of owners leads to them.
SELECT i.id, i.run_id::text, i.kind, i.name, i.payload, i.key
FROM {schema}.runs r JOIN {schema}.inbox i ON i.run_id = r.id WHERE r.owner = %s::bigint ORDER BY i.id

-- name: unread
-- The oldest inbox entries of these runs, with any owner.
SELECT i.id, i.run_id::text, i.kind, i.name, i.payload, i.key
FROM unnest(%s::uuid[]) AS named (run_id)
CROSS JOIN LATERAL (SELECT x.* FROM {schema}.inbox x WHERE x.run_id = named.run_id ORDER BY x.id LIMIT %s) i
ORDER BY i.id

-- name: inbox_of_runs
-- The inbox entries of these runs as far as a worker owns them, oldest first.
-- The ids lead to them: in this form the comparison of the owner can use no index, which would lead to everything that
-- the worker owns.
SELECT i.id, i.run_id::text, i.kind, i.name, i.payload, i.key
FROM unnest(%s::uuid[]) AS named (run_id) JOIN {schema}.inbox i ON i.run_id = named.run_id
JOIN {schema}.runs r ON r.id = i.run_id AND r.owner IS NOT DISTINCT FROM %s::bigint ORDER BY i.id

-- name: blame
-- Blame what killed the process of a worker.
SELECT {schema}.blame(%s, %s, %s, %s, %s, %s, %s, %s)::text

-- name: claim_suspects
-- Own suspected runs, to be tried together.
SELECT id::text, token, workflow, version, namespace, input,
       CASE WHEN isfinite(started_at) THEN (extract(epoch FROM started_at) * 1000000)::bigint ELSE -1 END,
       attempt, trace_context, fresh, parent::text, depth, root::text, held
FROM {schema}.claim_suspects(%s, %s, %s, %s, %s, %s)

-- name: claim_deadly
-- Own runs of workflows that are kept apart.
SELECT id::text, token, workflow, version, namespace, input,
       CASE WHEN isfinite(started_at) THEN (extract(epoch FROM started_at) * 1000000)::bigint ELSE -1 END,
       attempt, trace_context, fresh, parent::text, depth, root::text, held
FROM {schema}.claim_deadly(%s, %s, %s, %s, %s, %s, %s)

-- name: claim_suspected_tasks
-- Claim one suspected task, to be tried alone.
SELECT c.run_id::text, c.seq, c.dispatch, c.attempt, c.queue, c.activity, c.arguments, c.timeout, c.key,
       (SELECT t.heartbeat_timeout FROM {schema}.tasks t WHERE t.run_id = c.run_id AND t.seq = c.seq),
       (SELECT extract(epoch FROM t.deadline - clock_timestamp())::float8
        FROM {schema}.tasks t WHERE t.run_id = c.run_id AND t.seq = c.seq AND isfinite(t.deadline)),
       (SELECT h.details FROM {schema}.heartbeats h WHERE h.run_id = c.run_id AND h.seq = c.seq),
       (SELECT r.workflow FROM {schema}.runs r WHERE r.id = c.run_id),
       (SELECT r.trace_context FROM {schema}.runs r WHERE r.id = c.run_id),
       c.held
FROM {schema}.claim_suspected_tasks(%s, %s, %s) c

-- name: acquit
-- Suspect these runs and tasks no more.
WITH acquitted AS (
    UPDATE {schema}.suspects s SET level = {suspicion.none}, since = clock_timestamp()
    FROM unnest(%s, %s) AS n (run, seq) WHERE s.run_id = n.run AND s.seq = n.seq AND s.level > {suspicion.none}
    RETURNING 1
), notified AS (
    SELECT {schema}.notify('work', '{}') WHERE EXISTS (SELECT FROM acquitted)
)
SELECT count(*) FROM notified

-- name: earlier_deaths
-- How long these had lived at most when their processes died, and how often that was after an acquittal.
SELECT coalesce(max(s.lived), 0), coalesce(max(s.acquittals), 0) FROM {schema}.suspects s JOIN unnest(%s, %s) AS n (run, seq)
    ON s.run_id = n.run AND s.seq = n.seq

-- name: lone_suspects_lived
-- How long those that are tried alone had lived at most when their processes died.
SELECT max(s.lived) FROM {schema}.suspects s JOIN {schema}.runs r ON r.id = s.run_id AND r.state {is_active}
WHERE s.level = {suspicion.alone}

-- name: suspects_wait
-- Whether any run or task in quarantine is due and has no owner, or a workflow is kept apart.
SELECT {schema}.suspects_wait()

-- name: release
-- Give up runs, due at once, and count a death against each that crashed.
WITH locked AS MATERIALIZED (
    -- A parent gets the end of its child, if that is blocked without a history and was asked to stop.
    SELECT id FROM {schema}.runs WHERE id = ANY (%(runs)s::uuid[] || ARRAY(
        SELECT c.parent_id FROM {schema}.runs c WHERE c.id = ANY (%(runs)s) AND %(crashed)s::integer = 1))
    ORDER BY depth, id FOR NO KEY UPDATE
), released AS (
    UPDATE {schema}.runs r
    SET owner = NULL,
        deaths = r.deaths + %(crashed)s::integer,
        state = CASE WHEN %(crashed)s::integer = 1 AND r.deaths + 1 >= %(poison)s THEN {state.blocked} ELSE r.state END,
        due_at = CASE WHEN %(crashed)s::integer = 1 AND r.deaths + 1 >= %(poison)s THEN NULL ELSE clock_timestamp() END,
        asleep = false,
        reason = CASE WHEN %(crashed)s::integer = 1 AND r.deaths + 1 >= %(poison)s
                      THEN 'poison: executing it failed ' || (r.deaths + 1) || ' times inside the engine' ELSE r.reason END,
        fault = CASE WHEN %(crashed)s::integer = 1 AND r.deaths + 1 >= %(poison)s
                     THEN '{"kind": "poison"}' ELSE r.fault END,
        updated_at = clock_timestamp()
    FROM locked
    WHERE r.id = locked.id AND r.id = ANY (%(runs)s) AND r.owner = %(worker)s AND r.state {is_active} RETURNING r.id
)
SELECT {schema}.end_stopped(gone.ids), {schema}.notify('work', '{}')
FROM (SELECT array_agg(id) AS ids FROM released) gone WHERE gone.ids IS NOT NULL

-- name: release_other_runs
-- Release what a worker owns except the runs that it knows.
WITH locked AS MATERIALIZED (
    SELECT id FROM {schema}.runs WHERE owner = %(worker)s AND state {is_active} AND id <> ALL (%(keep)s)
    ORDER BY depth, id FOR NO KEY UPDATE
), released AS (
    UPDATE {schema}.runs r SET owner = NULL, due_at = clock_timestamp(), asleep = false, updated_at = clock_timestamp()
    FROM locked WHERE r.id = locked.id RETURNING 1
), notified AS (
    SELECT {schema}.notify('work', '{}') WHERE EXISTS (SELECT FROM released)
)
SELECT (SELECT count(*) FROM released) + 0 * (SELECT count(*) FROM notified)

-- name: release_other_tasks
-- Release the tasks of a worker except those that it knows.
WITH released AS (
    UPDATE {schema}.tasks t SET owner = NULL, claimed_at = NULL
    WHERE t.owner = %(worker)s AND NOT EXISTS (
        SELECT FROM unnest(%(runs)s, %(seqs)s) AS k (run_id, seq) WHERE k.run_id = t.run_id AND k.seq = t.seq)
    RETURNING 1
), notified AS (
    SELECT {schema}.notify('tasks', '{}') WHERE EXISTS (SELECT FROM released)
)
SELECT (SELECT count(*) FROM released) + 0 * (SELECT count(*) FROM notified)

-- name: sweep
-- Remove what ended runs have left behind, as far as one part of a sweep goes.
SELECT removed, "after"::text[], again FROM {schema}.sweep_leftovers(%s, %s)

-- name: odd_rows
-- Rows that are passed over because of an odd time.
SELECT table_name, column_name, row_name, value FROM {schema}.odd_rows(%s)

-- name: remove_retained
-- Remove runs whose retention is over.
SELECT {schema}.remove_retained(%s)

-- name: unblock
-- Make blocked runs claimable again; with the digest of some code, those that other code has blocked and this may not.
SELECT {schema}.unblock(%s, %s, %s, %s)

-- name: unblock_recorded
-- Make blocked runs claimable again, and record who does.
SELECT {schema}.unblock_recorded(%s, %s, %s, %s, %s::jsonb)

-- name: post
-- Write inbox entries.
SELECT {schema}.post_attempts(%s, %s, %s, %s, %s, %s)

-- name: post_recorded
-- Write inbox entries, and record who posts them.
SELECT {schema}.post_recorded(%s, %s, %s, %s, %s, %s, %s::text[]::jsonb[])

-- name: force_cancel
-- End a run as cancelled at once, with the children that are cancelled with it.
SELECT {schema}.force_cancel(%s, %s, %s)

-- name: force_cancel_recorded
-- End a run as cancelled at once, and record who ends it.
SELECT {schema}.force_cancel_recorded(%s, %s, %s, %s::jsonb)

-- name: event_row_before
-- The last row of events of a run that begins before an event.
SELECT e.seq, e.type FROM {schema}.events e WHERE e.run_id = %s AND e.seq < %s ORDER BY e.seq DESC LIMIT 1

-- name: length_of
-- The last row of events of a run.
SELECT e.seq, e.type FROM {schema}.events e WHERE e.run_id = %s ORDER BY e.seq DESC LIMIT 1

-- name: fork_run
-- Create a run that begins with the events of another.
SELECT {schema}.fork_run(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb)

-- name: forks_of
-- The forks that come from the same chains as these.
SELECT f.fork::text, f.origin::text, f.root::text, f.events, f.is_lost FROM {schema}.forks_of(%s) f

-- name: claim_tasks
-- Claim tasks within the limits of their queues.
SELECT c.run_id::text, c.seq, c.dispatch, c.attempt, c.queue, c.activity, c.arguments, c.timeout, c.key,
       (SELECT t.heartbeat_timeout FROM {schema}.tasks t WHERE t.run_id = c.run_id AND t.seq = c.seq),
       (SELECT extract(epoch FROM t.deadline - clock_timestamp())::float8
        FROM {schema}.tasks t WHERE t.run_id = c.run_id AND t.seq = c.seq AND isfinite(t.deadline)),
       (SELECT h.details FROM {schema}.heartbeats h WHERE h.run_id = c.run_id AND h.seq = c.seq),
       (SELECT r.workflow FROM {schema}.runs r WHERE r.id = c.run_id),
       (SELECT r.trace_context FROM {schema}.runs r WHERE r.id = c.run_id),
       (SELECT extract(epoch FROM clock_timestamp() - t.due_at)::float8
        FROM {schema}.tasks t WHERE t.run_id = c.run_id AND t.seq = c.seq AND isfinite(t.due_at)),
       c.held
FROM {schema}.claim_tasks_in_parts(%s, %s, %s, %s, %s, %s, %s, %s) c

-- name: complete_tasks
-- Turn results of tasks into mail for their runs.
SELECT {schema}.complete_tasks(%s, %s, %s, %s, %s, %s)

-- name: heartbeat
-- Record the latest progress of an activity; false when it has no task any more.
INSERT INTO {schema}.heartbeats AS h (run_id, seq, details) VALUES (%s, %s, %s)
ON CONFLICT (run_id, seq) DO UPDATE SET details = excluded.details
RETURNING EXISTS (SELECT FROM {schema}.tasks t WHERE t.run_id = h.run_id AND t.seq = h.seq)

-- name: last_heartbeats
-- The latest progress of a run's activities.
SELECT seq, details FROM {schema}.heartbeats WHERE run_id = %s

-- name: find_result
-- The result recorded under an idempotency key.
SELECT result FROM {schema}.activity_results WHERE activity = %s AND key = %s

-- name: record_result
-- Record a result under an idempotency key unless there is one.
INSERT INTO {schema}.activity_results (activity, key, run_id, result) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING

-- name: run_columns
-- The columns of a run's row, to which conditions and an order are added. An infinite time, written by hand, can be shown.
SELECT r.id::text, r.workflow, r.version, r.namespace, r.state, r.input, r.result, r.error, r.reason, r.attributes,
       r.idempotency_key, r.trace_context, r.owner,
       (extract(epoch FROM greatest(least(r.started_at, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint,
       (extract(epoch FROM greatest(least(r.updated_at, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint,
       (extract(epoch FROM CASE WHEN isfinite(r.completed_at) THEN r.completed_at END) * 1000000)::bigint,
       (extract(epoch FROM CASE WHEN isfinite(r.due_at) THEN r.due_at END) * 1000000)::bigint, r.parent_id::text, r.parent_seq, coalesce(r.root, r.id)::text,
       r.continued_from::text, r.continued_to::text, r.fault,
       (SELECT w.node FROM {schema}.workers w WHERE w.id = r.owner), (SELECT w.pid FROM {schema}.workers w WHERE w.id = r.owner),
       (extract(epoch FROM CASE WHEN isfinite(r.claimed_at) AND r.owner IS NOT NULL THEN r.claimed_at END) * 1000000)::bigint,
       CASE WHEN r.state = {state.suspended} THEN r.waits_for END,
       CASE WHEN r.state {is_open} THEN coalesce(
           CASE WHEN r.paused_at IS NOT NULL THEN jsonb_build_array(
               'run', r.id, '', (extract(epoch FROM greatest(least(r.paused_at, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint,
               r.paused_by, r.pause_reason) END,
           (SELECT jsonb_build_array(
                p.kind, p.name, p.namespace, (extract(epoch FROM greatest(least(p.since, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint,
                p.paused_by, p.reason)
            FROM {schema}.pauses p
            WHERE (p.kind = 'workflow' AND p.name = r.workflow AND p.namespace IN ('', r.namespace)
                   OR p.kind = 'namespace' AND p.name = r.namespace)
              AND (r.pause_lifted_at IS NULL OR p.since > r.pause_lifted_at)
            ORDER BY p.since, p.kind LIMIT 1)) END,
       coalesce(r.refused, '{}')
FROM {schema}.runs r

-- name: situation
-- Further columns of one run: what else may explain why it does not continue. They are put behind those of `run_columns`.
(extract(epoch FROM clock_timestamp()) * 1000000)::bigint, r.attempt, r.deaths,
(SELECT jsonb_build_array((extract(epoch FROM w.expires_at) * 1000000)::bigint, (extract(epoch FROM w.renewed_at) * 1000000)::bigint)
 FROM {schema}.workers w WHERE w.id = r.owner AND isfinite(w.expires_at) AND isfinite(w.renewed_at)),
(SELECT jsonb_agg(jsonb_build_array(m.kind, m.name, m.entries)) FROM (
    SELECT i.kind, i.name, count(*) AS entries
    FROM (SELECT x.kind, x.name FROM {schema}.inbox x WHERE x.run_id = r.id ORDER BY x.id LIMIT 10 * %(most)s) i
    GROUP BY i.kind, i.name ORDER BY i.kind, i.name LIMIT %(rows)s) m),
(SELECT jsonb_agg(jsonb_build_array(
        t.seq, t.dispatch, t.attempt, t.activity, t.queue, t.isolated, t.node,
        (SELECT w.node FROM {schema}.workers w WHERE w.id = t.owner), (SELECT w.pid FROM {schema}.workers w WHERE w.id = t.owner),
        (extract(epoch FROM CASE WHEN t.owner IS NOT NULL AND isfinite(t.claimed_at) THEN t.claimed_at END) * 1000000)::bigint,
        (extract(epoch FROM CASE WHEN isfinite(t.due_at) THEN t.due_at END) * 1000000)::bigint,
        CASE WHEN t.timeout BETWEEN 0 AND {limit.retention_seconds} THEN t.timeout ELSE 0 END,
        CASE WHEN t.heartbeat_timeout BETWEEN 0 AND {limit.retention_seconds} THEN t.heartbeat_timeout ELSE 0 END,
        (extract(epoch FROM CASE WHEN isfinite(t.deadline) THEN t.deadline END) * 1000000)::bigint,
        -- Those before it are among the first of the queue: no more of it is read, however long it is.
        CASE WHEN t.owner IS NULL THEN (
            SELECT count(*) FILTER (WHERE q.priority > t.priority OR q.priority = t.priority AND q.due_at < t.due_at)
            FROM (SELECT a.priority, a.due_at FROM {schema}.tasks a
                  WHERE a.owner IS NULL AND a.held_by IS NULL AND a.isolated = t.isolated AND a.queue = t.queue
                  ORDER BY a.priority DESC, a.due_at LIMIT %(most)s) q) ELSE 0 END,
        (SELECT count(*) FROM (
            SELECT FROM {schema}.tasks a WHERE a.owner IS NOT NULL AND a.isolated = t.isolated AND a.queue = t.queue
            ORDER BY a.owner LIMIT %(most)s) q),
        t.owner IS NOT NULL AND NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.id = t.owner)) ORDER BY t.seq)
 FROM (SELECT x.* FROM {schema}.tasks x WHERE x.run_id = r.id ORDER BY x.seq LIMIT %(rows)s) t),
(SELECT jsonb_agg(jsonb_build_array(c.id, c.parent_seq, c.workflow, c.state) ORDER BY c.parent_seq, c.id) FROM (
    SELECT x.id, x.parent_seq, x.workflow, x.state FROM (
        -- So many are looked at, also if most of them have ended: no index has the open ones alone.
        SELECT a.id, a.parent_seq, a.workflow, a.state FROM {schema}.runs a WHERE a.parent_id = r.id LIMIT 10 * %(most)s) x
    WHERE x.parent_seq IS NOT NULL AND x.state {is_open} ORDER BY x.parent_seq, x.id LIMIT %(rows)s) c),
(SELECT jsonb_agg(jsonb_build_array(h.seq, encode(h.details, 'base64')) ORDER BY h.seq) FROM (
    SELECT x.seq, x.details FROM {schema}.heartbeats x WHERE x.run_id = r.id ORDER BY x.seq LIMIT %(rows)s) h),
(SELECT jsonb_agg(jsonb_build_array(f.version, f.reason, f.fault) ORDER BY f.refused_at, f.version)
 FROM {schema}.refusals f WHERE f.run_id = r.id),
(SELECT jsonb_agg(jsonb_build_array(v.version, v.label, v.module) ORDER BY v.registered_at DESC, v.version DESC) FROM (
    SELECT x.* FROM {schema}.versions x WHERE x.workflow = r.workflow
    ORDER BY x.registered_at DESC, x.version DESC LIMIT %(rows)s) v),
(SELECT jsonb_agg(jsonb_build_array(s.seq, (extract(epoch FROM s.since) * 1000000)::bigint,
                                    {limit.many_suspects} >> (s.level - {suspicion.many})) ORDER BY s.seq) FROM (
    SELECT x.seq, x.since, x.level FROM {schema}.suspects x
    WHERE x.run_id = r.id AND x.level > {suspicion.any} AND isfinite(x.since) ORDER BY x.seq LIMIT %(rows)s) s),
r.workflow = ANY ({schema}.deadly_workflows()),
CASE WHEN r.owner IS NULL AND r.state {is_active} AND r.due_at <= clock_timestamp() THEN (
    SELECT jsonb_object_agg(n.node, n.active) FROM (
        SELECT w.node, sum((SELECT count(*) FROM (
            SELECT FROM {schema}.runs a WHERE a.owner = w.id AND a.state = {state.running} LIMIT 10 * %(most)s) l)) AS active
        FROM {schema}.workers w WHERE w.expires_at > clock_timestamp() GROUP BY w.node) n) END,
(SELECT jsonb_agg(jsonb_build_array(
        p.kind, p.name, p.namespace, (extract(epoch FROM greatest(least(p.since, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint,
        p.paused_by, p.reason))
 FROM {schema}.pauses p
 WHERE p.kind = 'queue' AND EXISTS (SELECT FROM {schema}.tasks x WHERE x.run_id = r.id AND x.queue = p.name)),
coalesce(r.due_at = 'infinity', false),
-- From which event on the history is read: that of the last row but so many.
coalesce((SELECT e.seq FROM {schema}.events e WHERE e.run_id = r.id ORDER BY e.seq DESC OFFSET %(events)s - 1 LIMIT 1), 0)

-- name: ended
-- How those of these runs ended that have.
-- The planner cannot know how long an array from a subquery is, so one plan is as good as another and is kept.
SELECT r.id::text, r.state, r.result, r.error, r.reason, coalesce(r.root, r.id)::text, r.continued_to::text
FROM {schema}.runs r WHERE r.id = ANY ((SELECT %s)::uuid[]) AND r.state {is_terminal}

-- name: missing
-- Which of these ids no run has. A lateral, so that no plan reads all runs.
SELECT w.id::text FROM unnest((SELECT %s)::uuid[]) AS w (id)
LEFT JOIN LATERAL (SELECT true AS found FROM {schema}.runs r WHERE r.id = w.id LIMIT 1) f ON true
WHERE f.found IS NULL

-- name: next_open_runs
-- The conditions of the next open runs by id, for `run_columns`.
 WHERE r.id > %s AND r.state {is_open} ORDER BY r.id LIMIT %s

-- name: all_runs
-- A source of candidates for lists: every run.
SELECT * FROM {schema}.runs

-- name: open_runs
-- A source of candidates for lists: open runs, by the indexes of claims, owners and blocked runs. Ended runs are in none.
SELECT * FROM {schema}.runs WHERE ready_at IS NOT NULL AND refused IS NULL
UNION ALL SELECT * FROM {schema}.runs WHERE ready_at IS NOT NULL AND refused IS NOT NULL
UNION ALL SELECT * FROM {schema}.runs WHERE wakes_at IS NOT NULL
UNION ALL SELECT * FROM {schema}.runs WHERE waits
UNION ALL SELECT * FROM {schema}.runs WHERE owner IS NOT NULL
UNION ALL SELECT * FROM {schema}.runs WHERE owner IS NULL AND seldom = {state.blocked}
UNION ALL SELECT * FROM {schema}.runs WHERE paused_at IS NOT NULL AND completed_at IS NULL AND owner IS NULL AND state {is_active}

-- name: paused_runs
-- A source of candidates for lists: runs that are paused by themselves.
SELECT * FROM {schema}.runs WHERE paused_at IS NOT NULL AND completed_at IS NULL

-- name: idle_runs
-- A source of candidates for lists: suspended runs that wait for nothing that could come.
SELECT * FROM {schema}.runs WHERE for_nothing

-- name: running_runs
-- A source of candidates for lists: runs that have an owner, or something to do.
SELECT * FROM {schema}.runs WHERE owner IS NOT NULL AND state = {state.running}
UNION ALL SELECT * FROM {schema}.runs WHERE ready_at IS NOT NULL AND refused IS NULL
UNION ALL SELECT * FROM {schema}.runs WHERE ready_at IS NOT NULL AND refused IS NOT NULL
UNION ALL SELECT * FROM {schema}.runs WHERE wakes_at <= now()
UNION ALL SELECT * FROM {schema}.runs WHERE paused_at IS NOT NULL AND completed_at IS NULL AND owner IS NULL AND state {is_active}

-- name: indexes_of_runs
-- The columns of each index that an order can follow, also of those that the operator has made.
SELECT array_agg(a.attname::text ORDER BY k.place)
FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
WHERE i.indrelid = to_regclass(%s) AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND m.amname = 'btree' AND k.place <= i.indnkeyatts GROUP BY i.indexrelid ORDER BY 1

-- name: pause_run
-- Pause the latest run of a chain, and record who does.
SELECT posted, run::text, since, paused_by, reason FROM {schema}.pause_run(%s, %s, %s, %s, %s, %s::jsonb)

-- name: resume_run
-- Let the latest run of a chain continue, and record who does.
SELECT posted, run::text FROM {schema}.resume_run(%s, %s::jsonb)

-- name: pause_together
-- Pause a workflow, a queue or a namespace, and record who does.
SELECT begun, since, paused_by, reason FROM {schema}.pause_together(%s, %s, %s, %s, %s, %s::jsonb)

-- name: resume_together
-- Let a workflow, a queue or a namespace continue, and record who does.
SELECT {schema}.resume_together(%s, %s, %s, %s::jsonb)

-- name: pauses
-- Which workflows, queues and namespaces are paused, the latest first. An infinite time, written by hand, can be shown.
SELECT p.kind, p.name, p.namespace,
       (extract(epoch FROM greatest(least(p.since, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint, p.paused_by, p.reason
FROM {schema}.pauses p ORDER BY p.since DESC, p.kind, p.name, p.namespace LIMIT %s

-- name: held_by_pause
-- How many open runs and waiting tasks such a pause holds.
SELECT runs, more_runs, tasks, more_tasks FROM {schema}.held_by_pause(%s, %s, %s, %s)

-- name: paused_here
-- The paused runs that a worker owns, and whether anything is paused together.
SELECT {schema}.paused_runs_of(ARRAY[%s::bigint])::text[],
       ARRAY(SELECT ARRAY[p.kind, p.name, p.namespace] FROM {schema}.pauses p WHERE p.kind <> 'queue')

-- name: set_attributes
-- Merge attributes into those of the chain's latest run; with facts record who does.
SELECT {schema}.set_attributes_recorded(%s, %s::jsonb, %s::jsonb)

-- name: register_versions
-- Record the code that a node has loaded; a source or contract once stored stays if there is no other.
INSERT INTO {schema}.versions AS v
    (workflow, version, label, module, signals, source, retention, contract, registered_at)
SELECT n.workflow, n.version, n.label, n.module, n.signals::jsonb, n.source, n.retention, n.contract::json, now()
FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s)
    AS n (workflow, version, label, module, signals, source, retention, contract)
ON CONFLICT (workflow, version) DO UPDATE SET label = excluded.label, module = excluded.module,
    signals = excluded.signals, source = coalesce(v.source, excluded.source), retention = excluded.retention,
    contract = coalesce(excluded.contract, v.contract), registered_at = excluded.registered_at

-- name: contracts
-- What the versions of a workflow take and return, of the one that was registered last first.
SELECT v.version, v.label, coalesce((extract(epoch FROM CASE WHEN isfinite(v.registered_at) THEN v.registered_at END) * 1000000)::bigint, 0), v.contract
FROM {schema}.versions v WHERE v.workflow = %s AND v.contract IS NOT NULL
ORDER BY v.registered_at DESC, v.version

-- name: versions
-- Every version that is registered or that open runs have, with these runs as far as they are counted.
SELECT workflow, version, coalesce(v.label, ''), coalesce(v.module, ''), v.signals, NULL::bytea,
       coalesce((extract(epoch FROM CASE WHEN isfinite(v.registered_at) THEN v.registered_at END) * 1000000)::bigint, 0), coalesce(o.runs, 0),
       v.retention, coalesce(o.more, false)
FROM {schema}.versions v FULL JOIN {schema}.open_versions(%s::bigint) o USING (workflow, version)
ORDER BY workflow, v.registered_at NULLS FIRST, version

-- name: version_source
-- The stored source of a pinned version.
SELECT source FROM {schema}.versions WHERE workflow = %s AND version = %s

-- name: delete_versions
-- Delete versions that no open run has; with facts record who does.
SELECT {schema}.delete_versions_recorded(%s, %s, %s::text[]::jsonb[])

-- name: audited
-- What people have changed, the latest first, page after page. An infinite time, written by hand, can be shown.
SELECT a.id::text, (extract(epoch FROM greatest(least(a.at, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint,
       a.actor, a.via, a.action, a.subject, a.arguments, a.reason, a.outcome
FROM {schema}.audit a
WHERE (%(since)s::bigint IS NULL OR a.at >= to_timestamp(0) + %(since)s * interval '1 microsecond')
  AND (%(actor)s::text IS NULL OR a.actor = %(actor)s) AND (%(action)s::text IS NULL OR a.action = %(action)s)
  AND (%(subject)s::text IS NULL OR a.subject = %(subject)s)
  AND (%(before)s::bigint IS NULL OR (a.at, a.id) < (to_timestamp(0) + %(before)s * interval '1 microsecond', %(id)s::uuid))
ORDER BY a.at DESC, a.id DESC LIMIT %(limit)s

-- name: refusals
-- The code whose replay did not match a run's history.
SELECT version, reason, fault FROM {schema}.refusals WHERE run_id = %s ORDER BY refused_at, version

-- name: declared_signals
-- The signals that the version of a chain's latest run declares.
SELECT v.signals FROM {schema}.runs r JOIN {schema}.versions v ON v.workflow = r.workflow
WHERE r.id = {schema}.latest_of_chain(%s) AND (r.version IS NULL OR v.version = r.version)
-- Among labels that one node registered together, the largest number is current.
ORDER BY v.registered_at DESC, length(v.label) DESC, v.label DESC LIMIT 1

-- name: read_published
-- The latest values that a chain has published under these names.
SELECT c.name, c.value, (extract(epoch FROM CASE WHEN isfinite(c.changed_at) THEN c.changed_at ELSE to_timestamp(0) END) * 1000000)::bigint
FROM {schema}.runs r JOIN {schema}.published_values c ON c.root = coalesce(r.root, r.id) AND c.name = ANY (%s)
WHERE r.id = %s

-- name: facts_cluster
-- The time and the last fencing token given, for a check of the whole.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, last_value FROM {schema}.fencing_token

-- name: facts_workers
-- Every worker with the end of its lease, and how much it owns.
SELECT w.id, w.node, CASE WHEN isfinite(w.expires_at) THEN (extract(epoch FROM w.expires_at) * 1000000)::bigint
            WHEN w.expires_at > clock_timestamp() THEN 1::bigint << 62 WHEN w.expires_at IS NOT NULL THEN -(1::bigint << 62) END,
       (SELECT count(*) FROM {schema}.runs r WHERE r.owner = w.id)
       + (SELECT count(*) FROM {schema}.tasks t WHERE t.owner = w.id)
FROM {schema}.workers w ORDER BY w.id

-- name: facts_duplicate_keys
-- Idempotency keys that several runs have, which their index does not allow.
SELECT namespace, workflow, idempotency_key, array_agg(id::text ORDER BY id) FROM {schema}.runs
WHERE idempotency_key IS NOT NULL GROUP BY 1, 2, 3 HAVING count(*) > 1 LIMIT 100

-- name: facts_orphans
-- Rows whose run does not exist.
(SELECT DISTINCT 'inbox', o.run_id::text FROM {schema}.inbox o
 WHERE NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = o.run_id) LIMIT 100)
UNION ALL
(SELECT DISTINCT 'tasks', o.run_id::text FROM {schema}.tasks o
 WHERE NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = o.run_id) LIMIT 100)
UNION ALL
(SELECT DISTINCT 'snapshots', o.run_id::text FROM {schema}.snapshots o
 WHERE NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = o.run_id) LIMIT 100)

-- name: facts_runs
-- The next runs by id, of one namespace or of all.
SELECT id::text, workflow, version, namespace, state, owner, token, CASE WHEN isfinite(due_at) THEN (extract(epoch FROM due_at) * 1000000)::bigint
            WHEN due_at > clock_timestamp() THEN 1::bigint << 62 WHEN due_at IS NOT NULL THEN -(1::bigint << 62) END,
       attempt, deaths, input, result, error, reason, fault IS NOT NULL,
       CASE WHEN isfinite(started_at) THEN (extract(epoch FROM started_at) * 1000000)::bigint
            WHEN started_at > clock_timestamp() THEN 1::bigint << 62 WHEN started_at IS NOT NULL THEN -(1::bigint << 62) END,
       CASE WHEN isfinite(updated_at) THEN (extract(epoch FROM updated_at) * 1000000)::bigint
            WHEN updated_at > clock_timestamp() THEN 1::bigint << 62 WHEN updated_at IS NOT NULL THEN -(1::bigint << 62) END,
       CASE WHEN isfinite(completed_at) THEN (extract(epoch FROM completed_at) * 1000000)::bigint
            WHEN completed_at > clock_timestamp() THEN 1::bigint << 62 WHEN completed_at IS NOT NULL THEN -(1::bigint << 62) END,
       parent_id::text, parent_seq, close_policy, depth, root::text, continued_from::text, continued_to::text,
       CASE WHEN state = {state.suspended} THEN waits_for END
FROM {schema}.runs
WHERE (%(after)s::uuid IS NULL OR id > %(after)s) AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
  AND (%(ids)s::uuid[] IS NULL OR id = ANY (%(ids)s))
  AND (%(since)s::bigint IS NULL OR updated_at >= to_timestamp(%(since)s::bigint / 1000000.0))
ORDER BY id LIMIT %(limit)s

-- name: facts_pages
-- How many pages the table of runs has.
SELECT pg_relation_size(to_regclass('{schema}.runs')) / current_setting('block_size')::integer

-- name: facts_sample
-- Some runs of pages chosen at random.
SELECT s.id::text FROM (SELECT r.id FROM {schema}.runs r TABLESAMPLE SYSTEM (%(percent)s::float4)) s
ORDER BY random() LIMIT %(size)s

-- name: facts_published
-- The latest values that these chains have published.
SELECT root::text, name, value FROM {schema}.published_values WHERE root = ANY (%s::uuid[])

-- name: facts_events
-- The histories of these runs.
SELECT run_id::text, seq, type, CASE WHEN isfinite(at) THEN (extract(epoch FROM at) * 1000000)::bigint
            WHEN at > clock_timestamp() THEN 1::bigint << 62 WHEN at IS NOT NULL THEN -(1::bigint << 62) END, payload
FROM {schema}.events WHERE run_id = ANY (%s::uuid[]) ORDER BY run_id, seq

-- name: facts_inbox
-- The inbox rows of these runs.
SELECT run_id::text, id, kind, name, key, payload FROM {schema}.inbox WHERE run_id = ANY (%s::uuid[]) ORDER BY id

-- name: facts_tasks
-- The activity tasks of these runs.
SELECT run_id::text, seq, dispatch, attempt, activity, owner FROM {schema}.tasks
WHERE run_id = ANY (%s::uuid[]) ORDER BY run_id, seq

-- name: facts_snapshots
-- The snapshots of these runs.
SELECT run_id::text, first_seq, events, payload, format, version FROM {schema}.snapshots
WHERE run_id = ANY (%s::uuid[]) ORDER BY run_id, first_seq

-- name: facts_children
-- The children of these runs.
SELECT id::text, state, depth, namespace, parent_id::text, parent_seq, root::text, continued_from::text,
       continued_to::text
FROM {schema}.runs WHERE parent_id = ANY (%s::uuid[]) ORDER BY id

-- name: facts_relatives
-- These runs, as parents and neighbours in a chain.
SELECT id::text, state, depth, namespace, parent_id::text, parent_seq, root::text, continued_from::text,
       continued_to::text
FROM {schema}.runs WHERE id = ANY (%s::uuid[])

-- name: state_changes
-- Changes of states after a position. A lateral, so that no plan reads all runs for one page.
SELECT c.recorded, c.good, c.settled, c.mark, c.below, c.position, c.run_id::text, r.workflow, r.namespace, c.state,
       CASE WHEN isfinite(c.at) THEN (extract(epoch FROM c.at) * 1000000)::bigint ELSE 0 END,
       r.workflow IS NOT NULL AND (%(namespace)s::text IS NULL OR r.namespace = %(namespace)s)
       AND (%(workflow)s::text IS NULL OR r.workflow = %(workflow)s)
FROM {schema}.read_state_changes(%(after)s, %(limit)s, %(settled)s, %(mark)s, %(below)s) c
LEFT JOIN LATERAL (
    SELECT y.workflow, y.namespace FROM {schema}.runs y WHERE y.id = c.run_id LIMIT 1
) r ON true
ORDER BY c.position

-- name: latest_state_change
-- The last position that a change has.
SELECT {schema}.last_state_change()

-- name: record_state_changes
-- Have changes of states recorded, because somebody reads them.
SELECT {schema}.record_state_changes(%s)

-- name: remove_state_changes
-- Remove changes of states that need not be kept.
SELECT {schema}.remove_state_changes(%s, %s)
