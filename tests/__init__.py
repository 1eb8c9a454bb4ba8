"""The suite; each folder says what its tests need: `unit` nothing, `postgres` a server, `process` children."""
