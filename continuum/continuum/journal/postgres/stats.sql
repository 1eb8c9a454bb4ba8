-- Statistics: what nodes have counted. `stat_port.py` says how long it is kept.

-- name: renew_counting
-- As `renew`, and add what was counted: by minute, by hour and for ever. Two nodes lock the rows in one order.
{part.renewal}, counted AS (
    INSERT INTO {schema}.stats AS s (period, since, metric, subject, outcome, number, total, buckets)
    SELECT p.period, CASE p.period WHEN 0 THEN 'epoch' ELSE date_bin(p.period * interval '1 second', now(), 'epoch') END,
           c ->> 0, c ->> 1, c ->> 2, (c ->> 3)::float8, (c ->> 4)::float8,
           ARRAY(SELECT b::float8 FROM jsonb_array_elements_text(c -> 5) AS b)
    FROM jsonb_array_elements(%(counted)s::jsonb) AS c CROSS JOIN (VALUES (0), (60), (3600)) AS p (period)
    ORDER BY 3, 4, 5, 1
    ON CONFLICT (metric, subject, outcome, period, since) DO UPDATE
    SET number = s.number + excluded.number, total = s.total + excluded.total,
        buckets = ARRAY(SELECT coalesce(b.one, 0) + coalesce(b.other, 0)
                        FROM unnest(s.buckets, excluded.buckets) WITH ORDINALITY AS b (one, other, place)
                        ORDER BY b.place)
)
{part.renewal_outcome}

-- name: stats
-- What was counted of some metrics, in steps of seconds from a time on; with step 0 as one.
-- The latest rows come first, so that the earliest are left out of very many.
SELECT (extract(epoch FROM g.since) * 1000000)::bigint, g.metric, g.subject, g.outcome, g.number, g.total, g.buckets
FROM (
    SELECT CASE WHEN a.step = 0 THEN a.since ELSE date_bin(a.step * interval '1 second', x.since, a.since) END AS since,
           x.metric, CASE WHEN a.by_subject THEN x.subject ELSE '' END AS subject, x.outcome,
           sum(x.number) AS number, sum(x.total) AS total, ARRAY[
               sum(x.buckets[1]), sum(x.buckets[2]), sum(x.buckets[3]), sum(x.buckets[4]), sum(x.buckets[5]), sum(x.buckets[6]),
               sum(x.buckets[7]), sum(x.buckets[8]), sum(x.buckets[9]), sum(x.buckets[10]), sum(x.buckets[11]), sum(x.buckets[12]),
               sum(x.buckets[13]), sum(x.buckets[14]), sum(x.buckets[15]), sum(x.buckets[16]), sum(x.buckets[17]), sum(x.buckets[18]),
               sum(x.buckets[19]), sum(x.buckets[20]), sum(x.buckets[21]), sum(x.buckets[22]), sum(x.buckets[23])] AS buckets
    FROM (SELECT to_timestamp(%(since)s / 1000000.0) AS since, to_timestamp(%(until)s / 1000000.0) AS until,
                 %(step)s::integer AS step, %(by_subject)s::boolean AS by_subject) a
    JOIN {schema}.stats x ON x.period = %(period)s AND x.since >= a.since AND x.since < a.until
    WHERE x.metric = ANY (%(metrics)s) AND (%(subject)s::text IS NULL OR x.subject = %(subject)s)
    GROUP BY 1, 2, 3, 4
) g ORDER BY g.since DESC, g.metric COLLATE "C" DESC, g.subject COLLATE "C" DESC, g.outcome COLLATE "C" DESC LIMIT %(limit)s

-- name: stat_totals
-- All that has ever been counted.
SELECT x.metric, x.subject, x.outcome, x.number, x.total, x.buckets
FROM {schema}.stats x WHERE x.period = 0 ORDER BY x.metric COLLATE "C", x.subject COLLATE "C", x.outcome COLLATE "C" LIMIT %s
