-- What a node reports about itself for people: its release, the code that it has loaded, and how many seconds its clock is
-- ahead of this server's. It is of the process with that pid alone: nodes of earlier releases report none.
ALTER TABLE {schema}.nodes ADD COLUMN about jsonb NOT NULL DEFAULT '{}';

-- Findings of `continuum health` that a person has looked at: they are silent until they change.
CREATE TABLE {schema}.health_reviews (
    fingerprint text PRIMARY KEY,
    code text NOT NULL,
    subject text NOT NULL,
    reviewer text NOT NULL,
    reviewed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
