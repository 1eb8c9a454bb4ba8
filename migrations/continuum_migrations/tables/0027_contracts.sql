-- What each version takes and returns, for forms. Not jsonb: a form has its fields in the order of the code.
ALTER TABLE {schema}.versions ADD COLUMN contract json;
