-- The latest run of a chain, by the id of any of its runs. A caller that needs it to stay the latest locks it and
-- looks again.
CREATE OR REPLACE FUNCTION {schema}.latest_of_chain(p_run uuid) RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_root uuid;
    v_next uuid;
BEGIN
    SELECT coalesce(r.root, r.id), r.continued_to INTO v_root, v_next FROM {schema}.runs r WHERE r.id = p_run;
    RETURN CASE WHEN v_root IS NULL THEN NULL WHEN v_next IS NULL THEN p_run ELSE (
        SELECT t.id FROM {schema}.runs t WHERE t.root = v_root AND t.continued_to IS NULL) END;
END
$$;
