-- Lists are merged from the runs of each namespace and workflow, in the order of their starts.
DROP INDEX {schema}.runs_listing;
CREATE INDEX runs_listing ON {schema}.runs (namespace, workflow, started_at, id);
-- The runs in states that a run enters at most once, and that few of the runs of a step are in.
CREATE INDEX runs_listing_of_seldom ON {schema}.runs (state, namespace, workflow, started_at, id)
    WHERE state IN ({state.blocked}, {state.failed}, {state.cancelled}, {state.continued});
