-- What people who watch ask. The functions of the schema keep the plans; times that somebody wrote by hand are left out.

-- name: backlog
-- Runs that are due and that nobody has claimed.
SELECT coalesce(sum(o.runs), 0)::bigint, coalesce(bool_or(o.more), false),
       (extract(epoch FROM min(CASE WHEN isfinite(o.since) THEN o.since ELSE to_timestamp(0) END)) * 1000000)::bigint
FROM {schema}.overdue_runs(clock_timestamp(), %(groups)s, %(most)s, %(most)s) o

-- name: queue_loads
-- Activity tasks by queue.
SELECT q.queue, q.waiting, CASE WHEN q.since IS NOT NULL THEN
           (extract(epoch FROM CASE WHEN isfinite(q.since) THEN q.since ELSE to_timestamp(0) END) * 1000000)::bigint END,
       q.claimed, q.more
FROM {schema}.queue_loads(%(groups)s, %(most)s) q

-- name: open_work
-- Open runs by state, and by what they wait for.
SELECT w.what, w.kind, w.name, w.runs, w.since, w.looked_at, w.more
FROM {schema}.open_work(%(workflow)s, %(most)s, %(names)s) w
