"""The suite. Each folder says what its tests need: `unit` nothing, `postgres` a server, and so on."""
