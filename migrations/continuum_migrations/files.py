"""Reads the SQL: `tables/NNNN_name.sql`, from 0001 on without a gap, and `functions/NOUN.sql`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from continuum_migrations.errors import MigrationFilesWrong
from continuum_migrations.names import with_numbers

TABLES, FUNCTIONS = "tables", "functions"
TABLES_NAME = re.compile(r"(?P<version>\d{4})_[a-z0-9_]+\.sql")
FUNCTIONS_NAME = re.compile(r"[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One file, with its numbers filled in; `name` is its path, `functions/claims.sql`."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The fingerprint recorded with an applied file."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def sql_for(self, schema: str) -> str:
        """The statements for one schema; other braces (`'{}'::jsonb`) stay as they are."""
        return self.sql.replace("{schema}", f'"{schema}"').replace("{schema.name}", schema)


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """All files: the tables in the order of their numbers, the functions by name."""

    tables: tuple[SqlFile, ...]
    functions: tuple[SqlFile, ...]


def read_files(source: Traversable | Path | None = None) -> SqlFiles:
    """Read every file: those of this package, or of another directory."""
    directory = source if source is not None else files("continuum_migrations")
    tables = _read(directory / TABLES, TABLES, TABLES_NAME, "name it like 0007_add_queues.sql")
    numbers = [int(Path(file.name).name[:4]) for file in tables]
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise MigrationFilesWrong(
            f"files of tables are numbered from 0001 without a gap, and {directory} has {numbers or 'none'}; "
            "install the package again, or number the new file anew"
        )
    functions = _read(directory / FUNCTIONS, FUNCTIONS, FUNCTIONS_NAME, "name it like claims.sql")
    return SqlFiles(tuple(tables), tuple(functions))


def _read(directory: Traversable | Path, kind: str, wanted: re.Pattern[str], mend: str) -> Sequence[SqlFile]:
    if not directory.is_dir():
        return []
    found = sorted(
        (entry for entry in directory.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name
    )
    for entry in found:
        if wanted.fullmatch(entry.name) is None:
            raise MigrationFilesWrong(f"{kind}/{entry.name} is not a file of {kind}; {mend}")
    return [SqlFile(f"{kind}/{entry.name}", _text(entry)) for entry in found]


def _text(entry: Traversable | Path) -> str:
    # Universal newlines: a checkout with CRLF has the same checksum.
    return with_numbers(entry.read_text(encoding="utf-8"))
