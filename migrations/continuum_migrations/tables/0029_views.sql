-- Views of the list of runs that people have saved for everybody: a name, and the part of the address that shows it.
CREATE TABLE {schema}.views (
    name text PRIMARY KEY,
    address text NOT NULL,
    saved_by text NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
