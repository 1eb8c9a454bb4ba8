-- Copies of the beginnings of long histories, so that they load as one row. The events stay.

CREATE TABLE {schema}.snapshots (
    run_id uuid PRIMARY KEY,
    format smallint NOT NULL,
    events integer NOT NULL,
    payload bytea NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now()
);
