"""Numbered SQL and its runner; knows nobody.

`runner.py` applies and checks, `files.py` reads the numbered files, `errors.py` says
what can go wrong. The SQL beside them is the only description of the schema.
"""

from __future__ import annotations

from continuum_migrations.errors import (
    InvalidSchemaName,
    MigrationChanged,
    MigrationError,
    MigrationFilesWrong,
    SchemaBehind,
    SchemaTooNew,
    ServerTooOld,
)
from continuum_migrations.runner import check, migrate

__all__ = [
    "InvalidSchemaName",
    "MigrationChanged",
    "MigrationError",
    "MigrationFilesWrong",
    "SchemaBehind",
    "SchemaTooNew",
    "ServerTooOld",
    "check",
    "migrate",
]
