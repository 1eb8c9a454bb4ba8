-- The record of who changed what: a row for each change that a person has made, written in the transaction of the change.
CREATE TABLE {schema}.audit (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    -- cli, python or web.
    via text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    -- Names and sizes, and no values.
    arguments jsonb NOT NULL,
    reason text,
    outcome text NOT NULL
);
-- For pages, the latest first, and for the sweep.
CREATE INDEX audit_by_time ON {schema}.audit (at, id);
CREATE INDEX audit_of_subject ON {schema}.audit (subject, at, id);
