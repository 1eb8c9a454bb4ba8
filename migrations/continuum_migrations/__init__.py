"""The SQL of the schema and its runner; imports nothing of ours.

`runner.py` applies, checks and drops, `files.py` reads the files of `tables/` and `functions/`,
`expected.py` says what they make, `lost_objects.py` finds what of that is gone,
`lock.py` lets one transaction at a time change a schema, `errors.py`
says what can go wrong. The SQL is the only description of the schema.
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
from continuum_migrations.expected import Expected, ExpectedIndex, expected_objects
from continuum_migrations.lock import lock_schema
from continuum_migrations.lost_objects import (
    LostParts,
    create_functions,
    lost_functions,
    lost_indexes,
    lost_parts,
    restore_functions,
)
from continuum_migrations.runner import OLDEST_SERVER, check, drop, migrate, runs_to_drop

__all__ = [
    "OLDEST_SERVER",
    "Expected",
    "ExpectedIndex",
    "InvalidSchemaName",
    "LostParts",
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
    "create_functions",
    "drop",
    "expected_objects",
    "lock_schema",
    "lost_functions",
    "lost_indexes",
    "lost_parts",
    "migrate",
    "restore_functions",
    "runs_to_drop",
]
