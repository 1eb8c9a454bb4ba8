-- Histories that are looked at in parts.

-- name: load_part
-- The rows that have events of a part of a history; the first of them may begin before it.
SELECT e.run_id::text, e.seq, e.type,
       CASE WHEN e.at BETWEEN '1970-01-01Z' AND '9999-12-31Z' THEN (extract(epoch FROM e.at) * 1000000)::bigint END,
       e.payload
FROM {schema}.events e
WHERE e.run_id = %(run)s AND e.seq < %(end)s
  AND e.seq >= coalesce(
      (SELECT x.seq FROM {schema}.events x WHERE x.run_id = %(run)s AND x.seq <= %(first)s ORDER BY x.seq DESC LIMIT 1), 0)
  AND e.seq::bigint + greatest(1, -(e.type::integer)) > %(first)s
ORDER BY e.seq

-- name: history_outline
-- When the events of a history were written, in parts of equal duration; their payloads are not read.
WITH rows AS MATERIALIZED (
    SELECT e.seq, greatest(1, -(e.type::integer)) AS number, (extract(epoch FROM e.at) * 1000000)::bigint AS at
    FROM {schema}.events e
    WHERE e.run_id = %(run)s AND e.at BETWEEN '1970-01-01Z' AND '9999-12-31Z'
), span AS (
    SELECT min(at) AS begin, (max(at) - min(at) + 1)::numeric AS length FROM rows
)
SELECT min(r.seq), max(r.seq + r.number - 1), min(r.at), max(r.at), sum(r.number)::bigint
FROM rows r CROSS JOIN span s
GROUP BY floor((r.at - s.begin) * %(bins)s / s.length)
ORDER BY 1

-- name: published_names
-- Names under which a chain has published values.
SELECT c.name FROM {schema}.runs r JOIN {schema}.published_values c ON c.root = coalesce(r.root, r.id)
WHERE r.id = %s ORDER BY c.name COLLATE "C" LIMIT %s
