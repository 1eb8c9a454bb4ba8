-- Remove what ended runs have left behind: of each table the next p_rows rows by run are looked at, those after p_after
-- first, so that a sweep costs the same however much there is. Returns how many rows were removed, after which run the
-- next sweep of each table begins, and whether it should begin at once. One node sweeps at a time, without waiting: a row
-- that is locked is left for another time.
CREATE OR REPLACE FUNCTION {schema}.sweep_leftovers(p_after uuid[], p_rows integer)
RETURNS TABLE (removed integer, "after" uuid[], again boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    v_tables text[] := '{inbox,tasks,heartbeats,snapshots,suspects,deliveries}';
    v_table text;
    v_runs uuid[];
    v_ended uuid[];
    v_gone integer;
BEGIN
    removed := 0;
    "after" := p_after;
    again := false;
    -- For this transaction only, so that it works behind a pooler.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('sweeps of {schema.name}', 0)) THEN
        RETURN NEXT;
        RETURN;
    END IF;
    FOR i IN 1 .. cardinality(v_tables) LOOP
        v_table := v_tables[i];
        EXECUTE format('SELECT ARRAY(SELECT x.run_id FROM {schema}.%I x WHERE x.run_id > $1 ORDER BY x.run_id LIMIT $2)', v_table)
        INTO v_runs USING p_after[i], p_rows;
        IF cardinality(v_runs) < p_rows THEN
            EXECUTE format('SELECT $3 || ARRAY(SELECT x.run_id FROM {schema}.%I x WHERE x.run_id <= $1 ORDER BY x.run_id LIMIT $2)',
                           v_table)
            INTO v_runs USING p_after[i], p_rows - cardinality(v_runs), v_runs;
        END IF;
        CONTINUE WHEN cardinality(v_runs) = 0;
        CASE v_table
        WHEN 'suspects' THEN
            -- Nothing is suspected of an ended run, nor of one that has killed nothing for long.
            v_ended := ARRAY(
                SELECT x.run_id FROM {schema}.suspects x LEFT JOIN {schema}.runs r ON r.id = x.run_id
                WHERE x.run_id = ANY (v_runs) AND (r.id IS NULL OR r.state {is_terminal}));
            DELETE FROM {schema}.suspects WHERE ctid = ANY (ARRAY(
                SELECT x.ctid FROM {schema}.suspects x
                WHERE x.run_id = ANY (v_runs) AND x.level <= {suspicion.any}
                  AND x.since < clock_timestamp() - {limit.suspicion} * interval '1 second'
                FOR UPDATE SKIP LOCKED));
        WHEN 'deliveries' THEN
            -- Those of a chain are stored under its first run and kept until a day after the end of its latest run.
            v_ended := ARRAY(
                SELECT u.id FROM (SELECT DISTINCT unnest(v_runs) AS id) u
                WHERE EXISTS (SELECT FROM {schema}.runs r
                              WHERE r.id = u.id AND r.continued_to IS NULL AND r.state {is_terminal}
                                AND r.completed_at < clock_timestamp() - interval '1 day')
                   OR EXISTS (SELECT FROM {schema}.runs r
                              WHERE r.root = u.id AND r.continued_to IS NULL AND r.state {is_terminal}
                                AND r.completed_at < clock_timestamp() - interval '1 day'));
        ELSE
            v_ended := ARRAY(SELECT r.id FROM {schema}.runs r WHERE r.id = ANY (v_runs) AND r.state {is_terminal});
        END CASE;
        -- A run may have many more rows than were looked at.
        EXECUTE format('DELETE FROM {schema}.%1$I WHERE ctid = ANY (ARRAY('
                       'SELECT x.ctid FROM {schema}.%1$I x WHERE x.run_id = ANY ($1) LIMIT $2 FOR UPDATE SKIP LOCKED))', v_table)
        USING v_ended, 2 * p_rows;
        GET DIAGNOSTICS v_gone = ROW_COUNT;
        IF v_gone < 2 * p_rows THEN
            "after"[i] := v_runs[cardinality(v_runs)];
        END IF;
        again := again OR (cardinality(v_runs) = p_rows AND v_gone > p_rows / 10);
        IF v_table NOT IN ('suspects', 'deliveries') THEN
            removed := removed + v_gone;
        END IF;
    END LOOP;
    -- Lost nodes are listed for an hour.
    DELETE FROM {schema}.nodes WHERE renewed_at < clock_timestamp() - interval '1 hour';
    DELETE FROM {schema}.node_reports r WHERE NOT EXISTS (SELECT FROM {schema}.nodes n WHERE n.node = r.node);
    -- A role that may only add to the record, or not at all, still sweeps the rest.
    IF has_table_privilege('{schema}.audit', 'SELECT') AND has_table_privilege('{schema}.audit', 'UPDATE')
       AND has_table_privilege('{schema}.audit', 'DELETE') THEN
        DELETE FROM {schema}.audit WHERE ctid = ANY (ARRAY(
            SELECT x.ctid FROM {schema}.audit x WHERE x.at < clock_timestamp() - {limit.audit} * interval '1 second'
            ORDER BY x.at LIMIT p_rows FOR UPDATE SKIP LOCKED));
    END IF;
    PERFORM {schema}.remove_stats(2 * p_rows);
    RETURN NEXT;
END
$$;
