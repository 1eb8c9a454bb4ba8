-- How long a suspect had been with its owner when that died as last: its trial takes longer. Acquittals count only once a
-- process has died after one. And when it was last found to have killed a process.
ALTER TABLE {schema}.suspects ADD COLUMN lived double precision NOT NULL DEFAULT 0;
ALTER TABLE {schema}.suspects ADD COLUMN killed_at timestamptz;
