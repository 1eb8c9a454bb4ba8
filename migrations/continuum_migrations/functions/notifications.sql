-- Notify about `topic`, with the ids when they fit into one notification. Without ids it means: look for yourself.
CREATE OR REPLACE FUNCTION {schema}.notify(p_topic text, p_ids text[]) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_notify('{schema.name}.' || p_topic,
                     CASE WHEN cardinality(p_ids) <= {limit.ids} THEN array_to_string(p_ids, ',') ELSE '' END)
$$;
