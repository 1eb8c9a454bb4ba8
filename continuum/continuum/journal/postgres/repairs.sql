-- Repairs, in transactions of several statements.

-- name: repair_lock_run
-- Lock a run, its parent and its tasks.
SELECT {schema}.lock_damaged(%s)

-- name: repair_lock_worker
-- Lock a worker.
SELECT FROM {schema}.workers w WHERE w.id = %s FOR UPDATE

-- name: facts_orphans_of
-- The tables with rows of a run that does not exist.
SELECT o.name, %(run)s::text FROM (
    SELECT 'inbox' AS name WHERE EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = %(run)s::uuid)
    UNION ALL SELECT 'tasks' WHERE EXISTS (SELECT FROM {schema}.tasks t WHERE t.run_id = %(run)s::uuid)
    UNION ALL SELECT 'snapshots' WHERE EXISTS (SELECT FROM {schema}.snapshots s WHERE s.run_id = %(run)s::uuid)
) o WHERE NOT EXISTS (SELECT FROM {schema}.runs r WHERE r.id = %(run)s::uuid)

-- name: facts_duplicate_key_of
-- The idempotency key of a run, if others have it as well, which their index does not allow.
SELECT r.namespace, r.workflow, r.idempotency_key, array_agg(o.id::text ORDER BY o.id) FROM {schema}.runs r
JOIN {schema}.runs o ON (o.namespace, o.workflow, o.idempotency_key) = (r.namespace, r.workflow, r.idempotency_key)
WHERE r.id = %s::uuid GROUP BY 1, 2, 3 HAVING count(*) > 1

-- name: mend_run
-- Make one mend of a run.
SELECT {schema}.mend_run(%s::uuid, %s, %s::integer, %s::bigint, %s)

-- name: mend_worker
-- Make one mend of a worker.
SELECT {schema}.mend_worker(%s::bigint, %s, %s::integer)

-- name: record_repair
-- Record what came of a repair.
SELECT {schema}.record_change(%s::jsonb, %s)
