"""The SQL of the schema and its runner; imports nothing of ours.

`runner.py` applies, checks and drops, `files.py` reads the files of `tables/` and `functions/`,
`expected.py` says what they make, `errors.py` what can go wrong. The SQL is the only description of the
schema.
"""

from __future__ import annotations

from continuum_migrations.errors import (
    InvalidSchemaName,
    MigrationChanged,
    MigrationError,
    MigrationFilesWrong,
    NodesAlive,
    NotOurSchema,
    NotUtf8,
    OldLayout,
    SchemaBehind,
    SchemaTooNew,
    ServerTooOld,
)
from continuum_migrations.expected import Expected, expected_objects
from continuum_migrations.runner import OLDEST_SERVER, check, drop, migrate, runs_to_drop

__all__ = [
    "OLDEST_SERVER",
    "Expected",
    "InvalidSchemaName",
    "MigrationChanged",
    "MigrationError",
    "MigrationFilesWrong",
    "NodesAlive",
    "NotOurSchema",
    "NotUtf8",
    "OldLayout",
    "SchemaBehind",
    "SchemaTooNew",
    "ServerTooOld",
    "check",
    "drop",
    "expected_objects",
    "migrate",
    "runs_to_drop",
]
