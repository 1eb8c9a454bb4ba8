-- Notify about `topic`, with the ids when they fit into one notification. Without ids it means: look for yourself.
CREATE OR REPLACE FUNCTION {schema}.notify(p_topic text, p_ids text[]) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_notify('{schema.name}.' || p_topic,
                     CASE WHEN cardinality(p_ids) <= {limit.ids} THEN array_to_string(p_ids, ',') ELSE '' END)
$$;

-- Notify about `topic` of each of these ids, with as many notifications as it takes.
CREATE OR REPLACE FUNCTION {schema}.notify_each(p_topic text, p_ids text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 0 .. (cardinality(p_ids) - 1) / {limit.ids} LOOP
        PERFORM {schema}.notify(p_topic, p_ids[i * {limit.ids} + 1 : (i + 1) * {limit.ids}]);
    END LOOP;
END
$$;
