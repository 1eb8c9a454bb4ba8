"""The journal in Postgres. Read `journal.py` first, then `commit.py`: the hot path."""

from continuum.journal.postgres.journal import PostgresJournal

__all__ = ["PostgresJournal"]
