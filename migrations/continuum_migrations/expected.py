"""What the SQL of this code makes in a schema, by name, for tools that compare a database with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path

from continuum_migrations.files import SqlFile, SqlFiles, read_files

_TABLE = re.compile(r"^CREATE (?:UNLOGGED )?TABLE \{schema\}\.(\w+) \((.*?)^\)", re.MULTILINE | re.DOTALL)
_KEY_OF_A_COLUMN = re.compile(r"^ +(\w+) [^\n]*PRIMARY KEY", re.MULTILINE)
_KEY_OF_A_TABLE = re.compile(r"^ +PRIMARY KEY \(([^)]+)\)", re.MULTILINE)
_INDEX = re.compile(r"^CREATE (UNIQUE )?INDEX (\w+) ON \{schema\}\.(\w+) ([^;]*);", re.MULTILINE)
# A definition becomes one line, in which a comment would hide what follows it.
_COMMENT = re.compile(r"--[^\n]*")
_DROPPED = re.compile(r"^DROP INDEX \{schema\}\.(\w+);", re.MULTILINE)
_FUNCTION = re.compile(r"^CREATE OR REPLACE FUNCTION \{schema\}\.(\w+)", re.MULTILINE)
_VIEW = re.compile(r"^CREATE OR REPLACE VIEW \{schema\}\.(\w+)", re.MULTILINE)
_SEQUENCE = re.compile(r"^CREATE SEQUENCE \{schema\}\.(\w+)", re.MULTILINE)
# The columns of a new table are indented by four; what belongs to one of them is by more, or in capitals.
_COLUMN = re.compile(r"^ {4}([a-z]\w*) ", re.MULTILINE)
_ALTERED = re.compile(r"^ALTER TABLE \{schema\}\.(\w+)\s(.*?);", re.MULTILINE | re.DOTALL)
_ALTERATION = re.compile(r"\b(ADD|DROP) COLUMN (\w+)(.*?)(?=,\s+(?:ADD|DROP) COLUMN|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ExpectedIndex:
    """An index of `table`; `definition` is what follows the name of the table where it is made.

    With `primary` it is the primary key, and `definition` its columns.
    """

    name: str
    table: str
    definition: str
    unique: bool = False
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """What a schema has: each index by its name, each function and view with its file, tables with columns.

    A column that the server computes from others has its definition, by `table.column`; others have none.
    """

    indexes: Mapping[str, ExpectedIndex]
    functions: Mapping[str, str]
    views: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Collection[str]] = field(default_factory=dict)
    computed: Mapping[str, str] = field(default_factory=dict)
    sequences: Collection[str] = ()


def expected_objects(source: Traversable | Path | None = None) -> Expected:
    """Return what this code expects in a schema."""
    known = read_files(source)
    indexes: dict[str, ExpectedIndex] = {}
    for file in known.tables:
        # A file drops what an earlier one has made, and may then make it anew.
        for name in _DROPPED.findall(file.sql):
            indexes.pop(name, None)
        indexes |= {index.name: index for index in _made_by(file)}
    columns: dict[str, dict[str, str]] = {}
    for file in known.tables:
        _apply_columns(columns, _COMMENT.sub("", file.sql))
    computed = {
        f"{table}.{name}": definition
        for table, definitions in columns.items()
        for name, definition in definitions.items()
        if "GENERATED ALWAYS AS (" in definition
    }
    return Expected(
        indexes,
        functions_of(known),
        {name: file.name for file in known.functions for name in _VIEW.findall(file.sql)},
        {table: tuple(definitions) for table, definitions in columns.items()},
        computed,
        tuple(name for file in known.tables for name in _SEQUENCE.findall(file.sql)),
    )


def functions_of(known: SqlFiles) -> dict[str, str]:
    """Return the functions that these files make, each with its file."""
    return {name: file.name for file in known.functions for name in _FUNCTION.findall(file.sql)}


def _apply_columns(columns: dict[str, dict[str, str]], sql: str) -> None:
    """Change the columns of tables as a file does, each with what follows its name where it is added."""
    for table, body in _TABLE.findall(sql):
        columns[table] = dict.fromkeys(_COLUMN.findall(body), "")
    for table, alterations in _ALTERED.findall(sql):
        for change, name, definition in _ALTERATION.findall(alterations):
            columns[table].pop(name, None)
            if change == "ADD":
                columns[table][name] = " ".join(definition.split())


def _made_by(file: SqlFile) -> Iterator[ExpectedIndex]:
    for table, body in _TABLE.findall(file.sql):
        key = _KEY_OF_A_TABLE.search(body) or _KEY_OF_A_COLUMN.search(body)
        if key is not None:
            yield ExpectedIndex(f"{table}_pkey", table, f"({key[1]})", unique=True, primary=True)
    for unique, name, table, rest in _INDEX.findall(_COMMENT.sub("", file.sql)):
        yield ExpectedIndex(name, table, " ".join(rest.split()), unique=bool(unique))
