"""What the SQL of this code makes in a schema, by name, for tools that compare a database with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from continuum_migrations.files import SqlFile, read_files

_TABLE = re.compile(r"^CREATE TABLE \{schema\}\.(\w+) \((.*?)^\)", re.MULTILINE | re.DOTALL)
_KEY_OF_A_COLUMN = re.compile(r"^ +(\w+) [^\n]*PRIMARY KEY", re.MULTILINE)
_KEY_OF_A_TABLE = re.compile(r"^ +PRIMARY KEY \(([^)]+)\)", re.MULTILINE)
_INDEX = re.compile(r"^(CREATE (?:UNIQUE )?INDEX) (\w+) (ON \{schema\}\.\w+.*?;)", re.MULTILINE | re.DOTALL)
_DROPPED = re.compile(r"^DROP INDEX \{schema\}\.(\w+);", re.MULTILINE)
_FUNCTION = re.compile(r"^CREATE OR REPLACE FUNCTION \{schema\}\.(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a schema has: each index with the statement that makes it again, each function with its file."""

    indexes: Mapping[str, str]
    functions: Mapping[str, str]


def expected_objects(schema: str, source: Traversable | Path | None = None) -> Expected:
    """Return what this code expects in a schema."""
    known = read_files(source)
    indexes: dict[str, str] = {}
    for file in known.tables:
        # A file drops what an earlier one has made, and may then make it anew.
        for name in _DROPPED.findall(file.sql):
            indexes.pop(name, None)
        indexes |= _made_by(file, schema)
    functions = {name: file.name for file in known.functions for name in _FUNCTION.findall(file.sql)}
    return Expected(indexes, functions)


def _made_by(file: SqlFile, schema: str) -> dict[str, str]:
    table_name = f'"{schema}".'
    made = {}
    for table, body in _TABLE.findall(file.sql):
        key = _KEY_OF_A_TABLE.search(body) or _KEY_OF_A_COLUMN.search(body)
        if key is not None:
            name = f"{table}_pkey"
            made[name] = f"ALTER TABLE {table_name}{table} ADD CONSTRAINT {name} PRIMARY KEY ({key[1]});"
    for create, name, rest in _INDEX.findall(file.sql):
        text = f"{create} CONCURRENTLY {name} {rest}".replace("{schema}.", table_name)
        made[name] = " ".join(text.split())
    return made
