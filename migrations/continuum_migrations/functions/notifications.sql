-- A hint on `topic`, with the ids when they fit into one notification.
CREATE OR REPLACE FUNCTION {schema}.hint(topic text, ids text[]) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_notify(topic, CASE WHEN cardinality(ids) <= 200 THEN array_to_string(ids, ',') ELSE '' END)
$$;
