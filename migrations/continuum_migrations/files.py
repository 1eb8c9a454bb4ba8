"""Reads the numbered files: `NNNN_name.sql`, from 0001 on, without a gap."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from continuum_migrations.errors import MigrationFilesWrong

FILE_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The fingerprint recorded with an applied migration."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def sql_for(self, quoted_schema: str) -> str:
        """The statements for one schema; other braces (`'{}'::jsonb`) stay as they are."""
        return self.sql.replace("{schema}", quoted_schema)


def read_migrations(source: Traversable | Path | None = None) -> tuple[Migration, ...]:
    """Read every migration in order: those of this package, or of another directory."""
    directory = source if source is not None else files("continuum_migrations")
    found = sorted(
        (_read(entry) for entry in directory.iterdir() if entry.name.endswith(".sql")), key=_version
    )
    numbers = [migration.version for migration in found]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise MigrationFilesWrong(
            f"migrations are numbered from 0001 without a gap, and {directory} has {numbers or 'none'}; "
            "install the package again, or number the new file anew"
        )
    return tuple(found)


def _read(entry: Traversable) -> Migration:
    parts = FILE_NAME.fullmatch(entry.name)
    if parts is None:
        raise MigrationFilesWrong(f"{entry.name} is not a migration; name it like 0007_add_queues.sql")
    # Universal newlines: a checkout with CRLF has the same checksum.
    return Migration(int(parts["version"]), parts["name"], entry.read_text(encoding="utf-8"))


def _version(migration: Migration) -> int:
    return migration.version
