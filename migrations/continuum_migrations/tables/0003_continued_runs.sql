-- A run that continued as new has a state of its own: 7 continued. It used to be completed.
ALTER TABLE {schema}.runs DROP CONSTRAINT runs_state_check;
ALTER TABLE {schema}.runs ADD CONSTRAINT runs_state_check
    CHECK (state BETWEEN {state.running} AND {state.continued});
UPDATE {schema}.runs SET state = {state.continued} WHERE continued_to IS NOT NULL AND state = {state.completed};
