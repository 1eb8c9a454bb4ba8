-- What `continuum health` asks. The functions of the schema keep the plans; times that somebody wrote by hand are left out.

-- name: health_nodes
-- Every node: whether it lives, what it reports about itself, and what its workers claim from.
SELECT n.node, n.pid, n.state,
       EXISTS (SELECT FROM {schema}.workers w WHERE w.node = n.node AND w.expires_at > clock_timestamp()),
       (extract(epoch FROM CASE WHEN isfinite(n.renewed_at) THEN n.renewed_at ELSE clock_timestamp() END) * 1000000)::bigint,
       n.workflows, n.processes,
       CASE WHEN NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.node = n.node AND w.namespaces IS NULL)
            THEN (SELECT array_agg(DISTINCT s.namespace ORDER BY s.namespace)
                  FROM {schema}.workers w CROSS JOIN unnest(w.namespaces) AS s (namespace) WHERE w.node = n.node) END,
       CASE WHEN n.about ->> 'pid' = n.pid::text THEN n.about END
FROM {schema}.nodes n ORDER BY n.node

-- name: health_overdue_runs
-- Runs that nobody has claimed though they are due, with the module that has their workflow.
SELECT o.workflow, nullif(o.version, ''), o.namespace, coalesce(o.refused, ARRAY[]::text[]), o.runs, o.more,
       (extract(epoch FROM CASE WHEN isfinite(o.since) THEN o.since ELSE to_timestamp(0) END) * 1000000)::bigint, o.example::text,
       (SELECT v.module FROM {schema}.versions v WHERE v.workflow = o.workflow ORDER BY v.registered_at DESC LIMIT 1)
FROM {schema}.overdue_runs(clock_timestamp() - %(due_for)s * interval '1 second', %(groups)s, %(most)s, %(rows)s) o

-- name: health_blocked_runs
-- Blocked runs by workflow and kind.
SELECT b.workflow, b.kind, b.runs, b.more,
       (extract(epoch FROM CASE WHEN isfinite(b.since) THEN b.since ELSE to_timestamp(0) END) * 1000000)::bigint, b.example::text,
       -- The function cuts it: a finding shows more of one.
       coalesce((SELECT left(r.reason, 2000) FROM {schema}.runs r WHERE r.id = b.example), ''),
       (SELECT (extract(epoch FROM CASE WHEN isfinite(r.updated_at) THEN r.updated_at ELSE to_timestamp(0) END) * 1000000)::bigint
        FROM {schema}.runs r WHERE r.id = b.example)
FROM {schema}.blocked_groups(%(most)s) b

-- name: health_expired_owners
-- Workers whose lease has run out and that nobody has retired. What they had in hand is due since then.
SELECT e.id, e.node, e.role, (extract(epoch FROM e.since) * 1000000)::bigint, e.runs, e.tasks,
       CASE WHEN e.since <= clock_timestamp() - %(due_for)s * interval '1 second' THEN e.due_runs ELSE 0 END,
       CASE WHEN e.since <= clock_timestamp() - %(due_for)s * interval '1 second' THEN e.due_tasks ELSE 0 END, e.more_due
FROM {schema}.expired_owners(clock_timestamp() - %(expired_for)s * interval '1 second', %(groups)s, %(most)s) e

-- name: health_unknown_owners
-- Owners of runs and of tasks that are no workers, by workflow. Each index of owners is read once for each owner.
WITH RECURSIVE of_runs (number, owner) AS (
    (SELECT 1, x.owner FROM {schema}.runs x WHERE x.owner IS NOT NULL ORDER BY x.owner LIMIT 1)
    UNION ALL
    SELECT o.number + 1, n.owner FROM of_runs o CROSS JOIN LATERAL (
        SELECT x.owner FROM {schema}.runs x WHERE x.owner > o.owner ORDER BY x.owner LIMIT 1) n
    WHERE o.number < 10 * %(groups)s
), of_tasks (number, owner) AS (
    (SELECT 1, x.owner FROM {schema}.tasks x WHERE x.owner IS NOT NULL ORDER BY x.owner LIMIT 1)
    UNION ALL
    SELECT o.number + 1, n.owner FROM of_tasks o CROSS JOIN LATERAL (
        SELECT x.owner FROM {schema}.tasks x WHERE x.owner > o.owner ORDER BY x.owner LIMIT 1) n
    WHERE o.number < 10 * %(groups)s
), owned (owner, of_tasks, workflow, id, since, place) AS (
    SELECT o.owner, false, f.* FROM of_runs o CROSS JOIN LATERAL (
        SELECT r.workflow, r.id, r.updated_at, row_number() OVER () FROM {schema}.runs r
        WHERE r.owner = o.owner LIMIT %(most)s + 1) f
    WHERE NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.id = o.owner)
    UNION ALL
    SELECT o.owner, true, f.* FROM of_tasks o CROSS JOIN LATERAL (
        SELECT r.workflow, r.id, t.claimed_at, row_number() OVER () FROM {schema}.tasks t
        CROSS JOIN LATERAL (SELECT x.workflow, x.id, x.updated_at FROM {schema}.runs x WHERE x.id = t.run_id OFFSET 0) r
        WHERE t.owner = o.owner LIMIT %(most)s + 1) f
    WHERE NOT EXISTS (SELECT FROM {schema}.workers w WHERE w.id = o.owner)
)
SELECT o.owner, o.of_tasks, o.workflow, least(count(*), %(most)s), bool_or(o.place > %(most)s),
       (extract(epoch FROM min(greatest(least(o.since, '9999-12-31Z'), '0001-01-01Z'))) * 1000000)::bigint,
       ((array_agg(o.id ORDER BY o.since, o.id))[1])::text
FROM owned o GROUP BY o.owner, o.of_tasks, o.workflow

-- name: health_overdue_tasks
-- Activity tasks that nobody has claimed though they are due, with the module that has the workflow of one of them.
SELECT t.queue, t.isolated, t.activity, t.node, t.namespace, t.tasks, t.more,
       (extract(epoch FROM CASE WHEN isfinite(t.since) THEN t.since ELSE to_timestamp(0) END) * 1000000)::bigint,
       (SELECT v.module FROM {schema}.versions v WHERE v.workflow = t.workflow ORDER BY v.registered_at DESC LIMIT 1)
FROM {schema}.overdue_tasks(clock_timestamp() - %(due_for)s * interval '1 second', %(groups)s, %(most)s) t

-- name: health_quarantine
-- What is in quarantine.
SELECT q.workflow, q.of_tasks, q.suspects,
       (extract(epoch FROM CASE WHEN isfinite(q.since) THEN q.since ELSE to_timestamp(0) END) * 1000000)::bigint, q.example::text
FROM {schema}.quarantined(%(most)s) q

-- name: health_deadly
-- The workflows that are kept apart, because several of their runs have killed processes.
SELECT unnest({schema}.deadly_workflows())

-- name: health_open_versions
-- The versions of open runs, with one run of each.
SELECT o.workflow, o.version, o.runs, o.more,
       (SELECT r.id::text FROM {schema}.runs r
        WHERE r.workflow = o.workflow AND r.version = o.version AND r.completed_at IS NULL LIMIT 1),
       (SELECT v.module FROM {schema}.versions v WHERE v.workflow = o.workflow ORDER BY v.registered_at DESC LIMIT 1)
FROM {schema}.open_versions(%(rows)s) o

-- name: health_lost_wakes
-- Runs that have mail, and that nobody will wake.
SELECT l.workflow, (extract(epoch FROM CASE WHEN isfinite(l.since) THEN l.since ELSE to_timestamp(0) END) * 1000000)::bigint, l.ids::text[]
FROM {schema}.lost_wakes(%(wakes)s) l

-- name: health_for_nothing
-- Suspended runs that wait for nothing that could come.
SELECT n.workflow, n.runs, n.more,
       (extract(epoch FROM CASE WHEN isfinite(n.since) THEN n.since ELSE to_timestamp(0) END) * 1000000)::bigint, n.example::text,
       (extract(epoch FROM CASE WHEN isfinite(n.latest) THEN n.latest ELSE to_timestamp(0) END) * 1000000)::bigint
FROM {schema}.runs_for_nothing(clock_timestamp() - %(due_for)s * interval '1 second', %(most)s) n

-- name: health_old_pauses
-- Pauses that stand for long.
SELECT o.kind, o.name, o.namespace,
       (extract(epoch FROM CASE WHEN isfinite(o.since) THEN o.since ELSE to_timestamp(0) END) * 1000000)::bigint, o.paused_by, o.reason,
       o.runs, o.more, o.tasks, o.more_tasks, o.workflow, o.example::text,
       (extract(epoch FROM CASE WHEN isfinite(o.latest) THEN o.latest ELSE to_timestamp(0) END) * 1000000)::bigint
FROM {schema}.old_pauses(clock_timestamp() - %(paused_for)s * interval '1 second', %(pauses)s, %(of_a_pause)s) o

-- name: health_interrupted_operations
-- Changes of many runs that are not over and that nobody executes.
SELECT o.id::text, o.action, o.search, o.actor, o.done, o.expected,
       (extract(epoch FROM greatest(least(o.since, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint
FROM (
    SELECT x.*, greatest(x.leased_until, x.updated_at) AS since FROM {schema}.operations x
    ORDER BY x.created_at DESC, x.id DESC LIMIT %(operations)s
) o
WHERE o.state = 'running' AND o.since <= clock_timestamp() - %(due_for)s * interval '1 second'
ORDER BY o.since, o.id LIMIT %(groups)s

-- name: health_reviews
-- The findings that are silent, and their parts.
SELECT f.fingerprint, (extract(epoch FROM r.reviewed_at) * 1000000)::bigint
FROM {schema}.health_reviews r CROSS JOIN LATERAL (SELECT r.fingerprint UNION SELECT unnest(r.parts)) f

-- name: review_finding
-- Silence a finding, and forget those that have changed since they were silenced.
SELECT {schema}.review_finding(%(fingerprint)s, %(code)s, %(subject)s, %(reviewer)s, %(current)s::text[], %(audit)s::jsonb,
                                %(parts)s::text[])
