-- The notification channel on which starts are announced to one worker alone; NULL if it has none.
ALTER TABLE {schema}.workers ADD COLUMN channel text;

-- The runs that writes of a batch take, for `commit_taking_batch`: what their rows must say, and the version to record.
CREATE TYPE {schema}.commit_taken AS (
    run uuid[], token bigint[], workflow text[], namespace text[], input bytea[], trace text[], started timestamptz[],
    version text[]
);
