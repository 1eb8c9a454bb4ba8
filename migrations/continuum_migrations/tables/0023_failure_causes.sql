-- Runs that failed with what an activity or a child had failed with, by that cause: `error:ConnectionError` finds them too. Their
-- error is a continuum.ActivityError or ChildFailed, these bytes, and the beginning of its message has the cause. Only a run that
-- fails so pays for that. The expression and the condition are those of `conditions.py`, to the letter that counts.
CREATE INDEX runs_failure_causes ON {schema}.runs (
    (CASE WHEN substring(error FROM 1 FOR 26) = '\x0193b7636f6e74696e75756d2e41637469766974794572726f72'
        OR substring(error FROM 1 FOR 24) = '\x0193b5636f6e74696e75756d2e4368696c644661696c6564'
    THEN left(coalesce(
        nullif(split_part(split_part(encode(substring(error FROM 25 FOR 2000), 'escape'), ' failed on attempt ', 2), ': ', 2), ''),
        nullif(split_part(split_part(encode(substring(error FROM 25 FOR 2000), 'escape'), ' failed: ', 2), ': ', 1), '')), 1020)
    END), started_at, id)
    WHERE seldom = {state.failed}
    AND substring(error FROM 1 FOR 13) IN ('\x0193b7636f6e74696e75756d2e', '\x0193b5636f6e74696e75756d2e');
