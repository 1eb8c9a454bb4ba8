-- Snapshots of long histories come in parts, each beginning where the one before ends, in a form
-- that only replay reads, by the code they were taken under.

DROP TABLE {schema}.snapshots;

CREATE TABLE {schema}.snapshots (
    run_id uuid NOT NULL,
    first_seq integer NOT NULL,
    events integer NOT NULL,
    format smallint NOT NULL,
    version text NOT NULL,
    payload bytea NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, first_seq)
);
