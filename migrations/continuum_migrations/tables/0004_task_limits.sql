-- The limits of an activity task besides the timeout of one attempt: the longest silence between two heartbeats in
-- seconds, 0 for none, and when the activity must be over with all its attempts.
ALTER TABLE {schema}.tasks ADD COLUMN heartbeat_timeout double precision NOT NULL DEFAULT 0;
ALTER TABLE {schema}.tasks ADD COLUMN deadline timestamptz;

-- The tasks of a batch that have such limits, for `commit_limited_batch`.
CREATE TYPE {schema}.commit_task_limits AS (
    run uuid[], seq integer[], dispatch integer[], heartbeat double precision[], deadline timestamptz[]
);
