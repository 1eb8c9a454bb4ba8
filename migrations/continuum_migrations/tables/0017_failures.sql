-- Failed runs by the type of their error, which is in its encoded form; `error:Timeout` searches by it. Only a run that
-- fails pays for that. The expression is that of `conditions.py`, to the letter that counts.
CREATE INDEX runs_failures ON {schema}.runs (
    (CASE WHEN octet_length(error) >= 4 AND substring(error FROM 1 FOR 2) = '\x0193' THEN
        CASE WHEN get_byte(error, 2) BETWEEN 160 AND 191
             THEN encode(substring(error FROM 4 FOR get_byte(error, 2) - 160), 'escape')
             WHEN get_byte(error, 2) = 217
             THEN encode(substring(error FROM 5 FOR get_byte(error, 3)), 'escape')
             WHEN get_byte(error, 2) = 218
             -- No index takes any length.
             THEN encode(substring(error FROM 6 FOR 255), 'escape') END END), started_at, id)
    WHERE seldom = {state.failed};
