-- Reports of nodes. `renew` (statements.sql) brings them, and tells a node that one is wanted.

-- name: want_report
-- Have a node report about itself for some seconds, and perhaps its stacks, if there is such a node; notify it if that is new.
WITH asked AS (
    INSERT INTO {schema}.node_reports AS r (node, wanted_until, stacks_asked)
    SELECT n.node, clock_timestamp() + %(seconds)s * interval '1 second', %(stacks)s::integer
    FROM {schema}.nodes n WHERE n.node = %(node)s::text
    ON CONFLICT (node) DO UPDATE SET
        -- A time so far ahead was written by hand.
        wanted_until = CASE WHEN r.wanted_until > clock_timestamp() + %(most)s * interval '1 second' THEN excluded.wanted_until
                            ELSE greatest(r.wanted_until, excluded.wanted_until) END,
        stacks_asked = (r.stacks_asked & 2147483647) + excluded.stacks_asked,
        stacks_told = least(r.stacks_told, r.stacks_asked & 2147483647)
    RETURNING r.stacks_asked
)
SELECT a.stacks_asked,
       -- The row is here as it was before.
       CASE WHEN %(stacks)s OR NOT EXISTS (
                SELECT FROM {schema}.node_reports o WHERE o.node = %(node)s::text AND o.wanted_until > clock_timestamp())
            THEN {schema}.notify('watched', ARRAY[%(node)s::text]) END
FROM asked a

-- name: node_report
-- What a node has reported as last.
SELECT r.report,
       CASE WHEN isfinite(r.reported_at) THEN (extract(epoch FROM r.reported_at) * 1000000)::bigint END,
       r.stacks, r.stacks_told,
       CASE WHEN isfinite(r.stacks_at) THEN (extract(epoch FROM r.stacks_at) * 1000000)::bigint END,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
FROM {schema}.node_reports r WHERE r.node = %s
