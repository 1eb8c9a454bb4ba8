-- for_nothing: the owner of a suspended run has written that it waits for nothing that could come. It stays NULL for nearly
-- every run, so the index is empty, and a step that writes NULL again touches no index. What is true may be old: a reader
-- looks at state and waits_for as well.
ALTER TABLE {schema}.runs ADD COLUMN for_nothing boolean;
UPDATE {schema}.runs SET for_nothing = true
WHERE state = {state.suspended} AND (waits_for = '[]' OR waits_for #>> '{0,0}' = 'unread');
CREATE INDEX runs_for_nothing ON {schema}.runs (workflow) WHERE for_nothing;
