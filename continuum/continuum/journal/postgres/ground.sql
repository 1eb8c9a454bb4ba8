-- What `continuum doctor` asks a server. Nothing here needs a right that a node does not need, except where it says so.

-- name: ground
-- What the server says about itself, and whether the schema is there and may be used.
SELECT current_setting('server_version_num')::integer, current_user::text, current_database()::text, pg_is_in_recovery(),
       (SELECT has_schema_privilege(n.oid, 'USAGE') FROM pg_namespace n WHERE n.nspname = %(schema)s)

-- name: ground_settings
-- Some settings, as this session has them, and where each comes from.
SELECT s.name, s.setting, s.source FROM pg_settings s WHERE s.name = ANY (%(names)s)

-- name: ground_indexes
-- The indexes of the schema, and whether each can be used or is being built.
SELECT t.relname::text, c.relname::text,
       i.indisvalid AND i.indisready OR EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid),
       i.indisprimary
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE t.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = %(schema)s)
ORDER BY t.relname, c.relname

-- name: ground_index
-- One index of a table, whether it can be used or is being built, and whether the role may change it.
SELECT current_setting('server_version_num')::integer, current_user::text, t.owner, coalesce(t.permitted, false),
       i.oid, coalesce(i.usable, false), coalesce(i.building, false), coalesce(i.main, false)
FROM (SELECT) AS one
LEFT JOIN (
    SELECT c.oid, pg_get_userbyid(c.relowner)::text AS owner, pg_has_role(c.relowner, 'USAGE') AS permitted FROM pg_class c
    WHERE c.relkind = 'r' AND c.relname = %(table)s
      AND c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = %(schema)s)
) t ON true
LEFT JOIN LATERAL (
    SELECT x.indexrelid::bigint AS oid, x.indisvalid AND x.indisready AS usable, x.indisprimary AS main,
           EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid) AS building
    FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid WHERE x.indrelid = t.oid AND c.relname = %(name)s
) i ON true

-- name: ground_functions
-- The names of the functions of the schema.
SELECT DISTINCT p.proname::text FROM pg_proc p
WHERE p.pronamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = %(schema)s)

-- name: ground_tables
-- The live and dead rows of each table, when autovacuum begins, and whether it is on for the table.
SELECT c.relname::text, coalesce(pg_stat_get_live_tuples(c.oid), 0), coalesce(pg_stat_get_dead_tuples(c.oid), 0),
       coalesce(o.threshold, current_setting('autovacuum_vacuum_threshold')::float8)
       + coalesce(o.scale, current_setting('autovacuum_vacuum_scale_factor')::float8) * greatest(c.reltuples, 0),
       coalesce(o.enabled, true)
FROM pg_class c CROSS JOIN LATERAL (
    SELECT max(x.option_value) FILTER (WHERE x.option_name = 'autovacuum_vacuum_threshold')::float8 AS threshold,
           max(x.option_value) FILTER (WHERE x.option_name = 'autovacuum_vacuum_scale_factor')::float8 AS scale,
           bool_and(x.option_value::boolean) FILTER (WHERE x.option_name = 'autovacuum_enabled') AS enabled
    FROM pg_options_to_table(c.reloptions) x
) o
WHERE c.relkind = 'r' AND c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = %(schema)s)
ORDER BY c.relname

-- name: ground_holders
-- What keeps vacuum from removing rows of this database, or the server from removing WAL; the oldest of each kind.
(SELECT 'transaction', a.pid::text, extract(epoch FROM clock_timestamp() - a.xact_start)::float8, 0::bigint,
        coalesce(age(a.backend_xmin), 0), coalesce(a.application_name, '') || ', ' || coalesce(a.state, 'in an unknown state')
 FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid()
   AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.backend_type <> 'autovacuum worker'
 ORDER BY a.xact_start LIMIT 10)
UNION ALL
(SELECT 'prepared', p.gid, extract(epoch FROM clock_timestamp() - p.prepared)::float8, 0::bigint, age(p.transaction),
        p.owner::text
 FROM pg_prepared_xacts p WHERE p.database = current_database() ORDER BY p.prepared LIMIT 10)
UNION ALL
(SELECT 'slot', s.slot_name::text, 0::float8,
        coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                                 s.restart_lsn), 0)::bigint,
        coalesce(greatest(age(s.xmin), age(s.catalog_xmin)), 0), s.slot_type
 FROM pg_replication_slots s WHERE NOT s.active ORDER BY s.restart_lsn LIMIT 10)

-- name: ground_hidden
-- How many sessions hide from this role what they do.
SELECT count(*) FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.query = '<insufficient privilege>'

-- name: ground_rights
-- The tables, sequences and functions on which the role lacks a right that a node needs.
WITH schema AS (
    SELECT n.oid FROM pg_namespace n WHERE n.nspname = %(schema)s
)
SELECT * FROM (
    SELECT 'table', c.relname::text AS name, array_agg(r.name ORDER BY r.name) FROM pg_class c JOIN schema ON c.relnamespace = schema.oid
    CROSS JOIN unnest(CASE WHEN c.relname = 'migrations' THEN ARRAY['SELECT']
                           ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) AS r (name)
    WHERE c.relkind = 'r' AND NOT has_table_privilege(c.oid, r.name) GROUP BY c.relname
    UNION ALL
    -- A sequence of an identity column needs no right of its own.
    SELECT 'sequence', c.relname::text, array_agg(r.name ORDER BY r.name) FROM pg_class c JOIN schema ON c.relnamespace = schema.oid
    CROSS JOIN unnest(ARRAY['SELECT', 'USAGE']) AS r (name)
    WHERE c.relkind = 'S' AND NOT has_sequence_privilege(c.oid, r.name)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i')
    GROUP BY c.relname
    UNION ALL
    SELECT 'function', p.proname::text, ARRAY['EXECUTE'] FROM pg_proc p JOIN schema ON p.pronamespace = schema.oid
    WHERE NOT has_function_privilege(p.oid, 'EXECUTE') GROUP BY p.proname
) AS lacking (kind, name, rights) ORDER BY kind, name

-- name: ground_nodes_listen
-- Whether any node of late listens; one that does not says that it opens no connections to the server.
SELECT coalesce(bool_or(jsonb_typeof(n.processes -> 0 -> 3) = 'number' AND (n.processes -> 0 ->> 3)::numeric > 0), true)
FROM {schema}.nodes n WHERE n.renewed_at > clock_timestamp() - interval '1 minute'
