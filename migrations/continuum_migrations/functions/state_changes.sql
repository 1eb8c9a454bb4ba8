-- The changes of the states of runs. Triggers record them, so that no statement that changes a state can forget it.
-- That holds for nodes of an earlier release too. There are triggers only while somebody reads: without readers the
-- feed costs nothing.

-- Record the start of a run or its new state.
CREATE OR REPLACE FUNCTION {schema}.record_state() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {schema}.state_changes (run_id, state, at)
    VALUES (NEW.id, CASE TG_OP WHEN 'INSERT' THEN 0 ELSE NEW.state END, clock_timestamp());
    RETURN NULL;
END
$$;

-- The last position that has been drawn; its transaction may be open.
CREATE OR REPLACE FUNCTION {schema}.last_state_change() RETURNS bigint
LANGUAGE sql AS $$
    SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END FROM {schema}.state_change_position s
$$;

-- Somebody reads changes: record them from now on. What is recorded begins with how the latest p_runs runs stand.
-- With the rights of the owner, because readers need not own the tables. Writers wait meanwhile. They do not wait for
-- long: if an open transaction holds this one up, it fails, and the reader tries again later.
CREATE OR REPLACE FUNCTION {schema}.record_state_changes(p_runs integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
BEGIN
    UPDATE {schema}.state_change_log SET read_at = clock_timestamp() WHERE recording;
    IF FOUND THEN
        RETURN;
    END IF;
    LOCK TABLE {schema}.runs IN SHARE ROW EXCLUSIVE MODE;
    UPDATE {schema}.state_change_log SET recording = true, read_at = clock_timestamp() WHERE NOT recording;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    CREATE OR REPLACE TRIGGER start_recorded AFTER INSERT ON {schema}.runs
        FOR EACH ROW EXECUTE FUNCTION {schema}.record_state();
    CREATE OR REPLACE TRIGGER state_recorded AFTER UPDATE ON {schema}.runs
        FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION {schema}.record_state();
    INSERT INTO {schema}.state_changes (run_id, state, at)
    SELECT s.id, s.state, s.at FROM (
        -- The ids begin with the time of the start.
        WITH latest AS (SELECT r.id, r.state, r.started_at, r.updated_at FROM {schema}.runs r ORDER BY r.id DESC LIMIT p_runs)
        SELECT l.id, 0 AS state, l.started_at AS at FROM latest l
        UNION ALL SELECT l.id, l.state, greatest(l.started_at, l.updated_at) FROM latest l WHERE l.state <> {state.running}
    ) s ORDER BY s.at, s.state;
END
$$;

-- The first p_limit changes after a position that are settled: none before them can appear any more. That is so as
-- far as no position is missing. A missing one belongs to a transaction that is open or was rolled back. The
-- transaction that finds it missing takes a number (p_below). A transaction that drew a position before has an earlier
-- number, so the reader passes over the gap once no earlier transaction is open. Returns what to pass next time, and
-- at least one row. Each statement of this function has a snapshot of its own, which the order of its steps needs.
CREATE OR REPLACE FUNCTION {schema}.read_state_changes(
    p_after bigint, p_limit integer, p_settled bigint, p_mark bigint, p_below text
) RETURNS TABLE (recorded boolean, good boolean, settled bigint, mark bigint, below text,
                 "position" bigint, run_id uuid, state smallint, at timestamptz)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    v_settled bigint := p_settled;
    v_looked bigint;
    v_found bigint;
    v_last bigint;
BEGIN
    mark := p_mark;
    below := p_below;
    IF pg_snapshot_xmin(pg_current_snapshot()) > p_below::xid8 THEN
        v_settled := greatest(v_settled, p_mark);
        below := NULL;
    END IF;
    SELECT count(*), max(y.position) FILTER (WHERE y.missing = v_settled) INTO v_looked, v_found
    FROM (SELECT x.position, x.position - row_number() OVER (ORDER BY x.position) AS missing
          FROM (SELECT c.position FROM {schema}.state_changes c WHERE c.position > v_settled
                ORDER BY c.position LIMIT 2000) x) y;
    v_settled := coalesce(v_found, v_settled);
    v_last := {schema}.last_state_change();
    IF below IS NULL AND v_last > v_settled AND v_looked < 2000 THEN
        mark := v_last;
        below := pg_current_xact_id()::text;
    END IF;
    RETURN QUERY
    SELECT l.recording AND l.read_at > clock_timestamp() - interval '1 hour',
           p_after BETWEEN l.removed AND v_last, v_settled, read_state_changes.mark, read_state_changes.below,
           c.position, c.run_id, c.state, c.at
    FROM {schema}.state_change_log l
    LEFT JOIN (
        SELECT x.position, x.run_id, x.state, x.at FROM {schema}.state_changes x
        WHERE x.position > p_after AND x.position <= v_settled
        ORDER BY x.position LIMIT p_limit
    ) c ON true
    ORDER BY c.position;
END
$$;

-- Remove up to p_limit changes that are older than p_kept seconds, oldest first, and record up to where. When nobody
-- has read for that long, record no more.
CREATE OR REPLACE FUNCTION {schema}.remove_state_changes(p_kept double precision, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET enable_seqscan = off
AS $$
DECLARE
    v_removed integer;
    v_last bigint;
BEGIN
    IF EXISTS (SELECT FROM {schema}.state_change_log l
               WHERE l.recording AND l.read_at < clock_timestamp() - p_kept * interval '1 second') THEN
        BEGIN
            LOCK TABLE {schema}.runs IN ACCESS EXCLUSIVE MODE;
            DROP TRIGGER IF EXISTS start_recorded ON {schema}.runs;
            DROP TRIGGER IF EXISTS state_recorded ON {schema}.runs;
            -- One more position, so that the cursor of the last change is refused too.
            UPDATE {schema}.state_change_log SET recording = false, removed = nextval('{schema}.state_change_position');
        EXCEPTION WHEN lock_not_available THEN
            -- The next sweep tries again.
            NULL;
        END;
    END IF;
    WITH removed AS (
        DELETE FROM {schema}.state_changes WHERE ctid = ANY (ARRAY(
            SELECT o.ctid FROM (SELECT x.ctid, x.at FROM {schema}.state_changes x
                                ORDER BY x.position LIMIT p_limit FOR UPDATE SKIP LOCKED) o
            CROSS JOIN {schema}.state_change_log l
            WHERE NOT l.recording OR o.at < clock_timestamp() - p_kept * interval '1 second'))
        RETURNING position
    )
    SELECT count(*), max(r.position) INTO v_removed, v_last FROM removed r;
    IF v_removed > 0 THEN
        UPDATE {schema}.state_change_log SET removed = v_last WHERE removed < v_last;
    END IF;
    RETURN v_removed;
END
$$;
