-- Remove up to p_limit rows of each period that are kept no longer.
CREATE OR REPLACE FUNCTION {schema}.remove_stats(p_limit integer) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_removed integer;
BEGIN
    DELETE FROM {schema}.stats WHERE ctid = ANY (
        ARRAY(SELECT x.ctid FROM {schema}.stats x
              WHERE x.period = 60 AND x.since < clock_timestamp() - {limit.minutes} * interval '1 second'
              ORDER BY x.since LIMIT p_limit FOR UPDATE SKIP LOCKED)
        || ARRAY(SELECT x.ctid FROM {schema}.stats x
                 WHERE x.period = 3600 AND x.since < clock_timestamp() - {limit.hours} * interval '1 second'
                 ORDER BY x.since LIMIT p_limit FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_removed = ROW_COUNT;
    RETURN v_removed;
END
$$;
