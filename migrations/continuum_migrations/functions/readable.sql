-- Runs with names instead of numbers, for people in psql.
CREATE OR REPLACE VIEW {schema}.runs_readable AS
SELECT r.id, r.workflow, r.namespace,
       CASE r.state WHEN {state.running} THEN 'running' WHEN {state.suspended} THEN 'suspended'
                    WHEN {state.blocked} THEN 'blocked' WHEN {state.completed} THEN 'completed'
                    WHEN {state.failed} THEN 'failed' WHEN {state.cancelled} THEN 'cancelled'
                    WHEN {state.continued} THEN 'continued' END AS state,
       v.label, r.version, w.node, w.role, r.attempt, r.deaths, r.started_at, r.updated_at,
       r.due_at, r.completed_at, r.retain_until, r.reason, r.parent_id AS parent, coalesce(r.root, r.id) AS chain,
       r.continued_to, r.idempotency_key, r.attributes,
       (SELECT count(*) FROM {schema}.inbox i WHERE i.run_id = r.id) AS inbox
FROM {schema}.runs r
LEFT JOIN {schema}.workers w ON w.id = r.owner
LEFT JOIN {schema}.versions v ON v.workflow = r.workflow AND v.version = r.version;
