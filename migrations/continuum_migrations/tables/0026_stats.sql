-- What nodes have counted, added with the renewals of their leases: by minute, by hour, and for ever (period 0, whose time is
-- 1970). One row for each series, whatever its node: a metric of telemetry/metrics.py, and the values of its labels. Numbers
-- are floats, so that no odd one fails a renewal. It is logged: a renewal writes a few rows, and a copy of the
-- database has them too.
CREATE TABLE {schema}.stats (
    -- In seconds.
    period integer NOT NULL,
    since timestamptz NOT NULL,
    metric text NOT NULL,
    subject text NOT NULL,
    outcome text NOT NULL,
    number double precision NOT NULL,
    total double precision NOT NULL,
    buckets double precision[] NOT NULL,
    PRIMARY KEY (metric, subject, outcome, period, since)
) WITH (fillfactor = 60);
-- For what all series have counted of late, and for the sweep.
CREATE INDEX stats_by_time ON {schema}.stats (period, since);
