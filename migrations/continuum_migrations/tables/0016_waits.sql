-- What a suspended run waits for, as its owner knows it: an array for each signal, activity, timer or child, with kind, seq
-- of the command (-1 for a signal), name, since and due in microseconds, file and line. NULL if that is not known. No index
-- has it, so a write of it touches none.
ALTER TABLE {schema}.runs ADD COLUMN waits_for jsonb;
