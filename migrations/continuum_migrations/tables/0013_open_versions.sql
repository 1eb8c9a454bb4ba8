-- Which code open runs need, to be stepped through and counted. A run enters it with its first write that it does not
-- end with, and like the others this index has nothing that changes while a run is owned.
CREATE INDEX runs_versions ON {schema}.runs (workflow, version) WHERE completed_at IS NULL AND version IS NOT NULL;
