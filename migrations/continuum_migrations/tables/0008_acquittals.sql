-- How often the process of a suspect has survived its trial. Each time the next trial takes longer.
ALTER TABLE {schema}.suspects ADD COLUMN acquittals smallint NOT NULL DEFAULT 0;
