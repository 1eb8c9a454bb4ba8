-- The statements about operations, changes of many runs that a person has asked for by a search.

-- name: begin_operation
-- Begin an operation, and record who does.
SELECT {schema}.begin_operation(%(id)s, %(action)s, %(arguments)s::jsonb, %(payload)s, %(search)s, %(namespace)s,
    to_timestamp(0) + %(until)s * interval '1 microsecond', %(expected)s, %(rate)s, %(actor)s, %(via)s, %(reason)s, %(audit)s::jsonb)

-- name: lease_operation
-- Take the lease of an operation that runs and that nobody executes.
UPDATE {schema}.operations
SET token = token + 1, leased_until = clock_timestamp() + %(ttl)s * interval '1 second', updated_at = clock_timestamp()
WHERE id = %(operation)s AND state = 'running' AND leased_until <= clock_timestamp() RETURNING token

-- name: renew_operation
-- Keep the lease, and return the state.
UPDATE {schema}.operations SET leased_until = clock_timestamp() + %(ttl)s * interval '1 second'
WHERE id = %(operation)s AND token = %(token)s RETURNING state

-- name: operation_columns
-- The columns of an operation's row, to which conditions and an order are added.
SELECT o.id::text, o.action, o.arguments, o.search, o.namespace,
       (extract(epoch FROM greatest(least(o.until, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint, o.expected, o.rate,
       o.actor, o.via, o.reason, o.state, o.done, o.skipped, o.failed, o.leased_until > clock_timestamp(),
       (extract(epoch FROM greatest(least(o.created_at, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint,
       (extract(epoch FROM greatest(least(o.updated_at, '9999-12-31Z'), '0001-01-01Z')) * 1000000)::bigint, o.reasons
FROM {schema}.operations o

-- name: operations_page
-- The latest operations, for `operation_columns`.
WHERE %(before)s::bigint IS NULL
   OR (o.created_at, o.id) < (to_timestamp(0) + %(before)s * interval '1 microsecond', %(id)s::uuid)
ORDER BY o.created_at DESC, o.id DESC LIMIT %(limit)s

-- name: change_operation
-- Pause, continue or end an operation.
SELECT {schema}.change_operation(%(operation)s, %(state)s, %(audit)s::jsonb)

-- name: set_operation_rate
-- Give an operation that nobody executes another rate.
SELECT {schema}.set_operation_rate(%(operation)s, %(rate)s::double precision, %(audit)s::jsonb)

-- name: operation_in_progress
-- The operation whose next part is executed; what precedes the rest of that statement.
WITH operation AS MATERIALIZED (
    SELECT o.* FROM {schema}.operations o
    WHERE o.id = %(operation)s AND o.token = %(token)s AND o.state = 'running' FOR UPDATE
)

-- name: operation_part
-- Apply the operation to the runs that were chosen, up to a place.
SELECT p.state, p.done, p.skipped, p.failed, p.looked FROM operation o
CROSS JOIN LATERAL (
    SELECT array_agg(c.id ORDER BY c.place) AS runs, count(*) AS number, (array_agg(c.place ORDER BY c.place DESC))[1] AS last
    FROM chosen c
) c
CROSS JOIN LATERAL (
    SELECT CASE WHEN c.number = %(limit)s THEN c.last ELSE (
        SELECT x.id FROM {schema}.runs x WHERE x.id > o.reached ORDER BY x.id OFFSET %(looked)s - 1 LIMIT 1) END AS reached
) n
CROSS JOIN LATERAL {schema}.operate(o.id, coalesce(c.runs, '{}'), n.reached, n.reached IS NULL, %(ttl)s, %(error)s) p

-- name: operation_chosen
-- The runs that were chosen, and the place that they reach; NULL at the end.
SELECT ARRAY(SELECT c.id::text FROM chosen c ORDER BY c.place), ARRAY(SELECT c.place::text FROM chosen c ORDER BY c.place), (
    SELECT x.id::text FROM {schema}.runs x WHERE x.id > o.reached ORDER BY x.id OFFSET %(looked)s - 1 LIMIT 1)
FROM operation o

-- name: pass_to
-- Pass what was looked at up to a place, or everything.
SELECT p.* FROM operation o
CROSS JOIN LATERAL {schema}.pass_runs(o.id, '{}', '{}', '{}'::jsonb, %(reached)s::uuid, %(reached)s::uuid IS NULL, %(ttl)s) p

-- name: pass_refused
-- Pass a run that cannot be cut, and record why.
SELECT p.* FROM operation o
CROSS JOIN LATERAL {schema}.pass_runs(o.id, ARRAY[%(run)s::uuid], ARRAY[%(outcome)s::text], %(facts)s::jsonb, %(place)s::uuid, false, %(ttl)s) p
WHERE o.reached < %(place)s::uuid

-- name: fork_found
-- Create a run that begins with the events of another, which the operation passes with that.
WITH operation AS MATERIALIZED (
    SELECT o.id FROM {schema}.operations o
    WHERE o.id = %s AND o.token = %s AND o.state = 'running' AND o.reached < %s FOR UPDATE
), forked AS MATERIALIZED (
    SELECT {schema}.fork_run(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb) AS posted
    FROM operation
)
SELECT p.* FROM operation o CROSS JOIN forked f CROSS JOIN LATERAL {schema}.pass_cut(o.id, %s, %s, f.posted, %s::jsonb, %s) p
