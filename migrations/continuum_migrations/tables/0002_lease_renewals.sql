-- When a worker's lease was renewed last: the last sign of life of a process that nobody saw die.
ALTER TABLE {schema}.workers ADD COLUMN renewed_at timestamptz NOT NULL DEFAULT clock_timestamp();
