-- The parts of a finding that were reviewed with it, such as runs, by their own fingerprints: it stays silent while it has no others.
ALTER TABLE {schema}.health_reviews ADD COLUMN parts text[] NOT NULL DEFAULT '{}';

-- What `continuum health` asks returns more since; the files of functions create these again.
DROP FUNCTION IF EXISTS {schema}.expired_owners(timestamptz, integer, integer);
DROP FUNCTION IF EXISTS {schema}.overdue_tasks(timestamptz, integer, integer);
DROP FUNCTION IF EXISTS {schema}.lost_wakes(integer);
DROP FUNCTION IF EXISTS {schema}.review_finding(text, text, text, text, text[], jsonb);
