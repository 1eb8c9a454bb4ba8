-- Views of the list of runs that people have saved.

-- name: save_view
-- Save a view unless there are so many others; two that are saved at once may be one too many.
INSERT INTO {schema}.views (name, address, saved_by)
SELECT v.name, v.address, v.saved_by FROM (SELECT %s::text, %s::text, %s::text) AS v (name, address, saved_by)
WHERE (SELECT count(*) FROM {schema}.views o WHERE o.name <> v.name) < %s
ON CONFLICT (name) DO UPDATE SET address = excluded.address, saved_by = excluded.saved_by, saved_at = clock_timestamp()
RETURNING name

-- name: remove_view
-- Remove a view.
DELETE FROM {schema}.views WHERE name = %s RETURNING name

-- name: saved_views
-- Return all views, by name.
SELECT name, address, saved_by FROM {schema}.views ORDER BY name COLLATE "C"
