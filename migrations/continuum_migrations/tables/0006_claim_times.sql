-- When the owner of a run has claimed it, for people and tools that look for the run; the token decides.
ALTER TABLE {schema}.runs ADD COLUMN claimed_at timestamptz;
