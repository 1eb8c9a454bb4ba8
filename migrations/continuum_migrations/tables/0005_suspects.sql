-- What may have killed its process, most of all what was there each time when a process died. `seq` names an activity
-- task; -1 the run itself, its code and the activities that run in its process. `level` says in what company it is
-- tried next: 1 any, 2 and 3 that of a few suspects, 4 none. `worker` is the one that died last.
CREATE TABLE {schema}.suspects (
    run_id uuid NOT NULL,
    seq integer NOT NULL,
    level smallint NOT NULL,
    worker bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, seq)
);
