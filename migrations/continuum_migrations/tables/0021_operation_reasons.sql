-- Why an operation has left runs as they were: a bounded list of what is said of how many, with some of the runs.
ALTER TABLE {schema}.operations ADD COLUMN reasons jsonb NOT NULL DEFAULT '[]';
