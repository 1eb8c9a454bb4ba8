-- The changes of the states of runs, for readers that follow them. A position is drawn while the run is locked, so the
-- changes of one run are in the order in which they happened. state: 0 for a start, else as in runs.
CREATE SEQUENCE {schema}.state_change_position;
CREATE TABLE {schema}.state_changes (
    position bigint PRIMARY KEY DEFAULT nextval('{schema}.state_change_position'),
    run_id uuid NOT NULL,
    state smallint NOT NULL,
    at timestamptz NOT NULL
);

-- One row: whether changes are recorded, when somebody has read them last, and up to where they have been removed.
CREATE TABLE {schema}.state_change_log (
    recording boolean NOT NULL DEFAULT false,
    read_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed bigint NOT NULL DEFAULT 0
);
INSERT INTO {schema}.state_change_log DEFAULT VALUES;
