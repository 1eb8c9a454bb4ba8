"""The simulator: the whole engine on virtual time, over a database that does its worst. See README.md."""
