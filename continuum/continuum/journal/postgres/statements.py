"""The SQL of this adapter: named statements in `statements.sql`, loaded once per schema."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from psycopg import sql

from continuum.errors import InvalidOption
from continuum.journal.postgres.prepared_statements import PreparedStatement
from continuum.quoting import quoted
from continuum_migrations.names import with_numbers

_NAME = re.compile(r"^-- name: (\w+)\n-- (.+)\n", re.MULTILINE)
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,40}")


class Statements:
    """Statements by name, with the schema's quoted identifier and the stored numbers filled in."""

    def __init__(self, schema: str) -> None:
        if not _SCHEMA.fullmatch(schema):
            raise InvalidOption(
                f"schema {quoted(schema)} must be lower-case letters, digits and "
                "underscores, at most 41 of them"
            )
        name_in_sql = sql.Identifier(schema).as_string(None)
        text = files("continuum.journal.postgres").joinpath("statements.sql").read_text()
        parts = _NAME.split(with_numbers(text))[1:]
        self._statements = {
            name: body.strip().replace("{schema}", name_in_sql).encode()
            for name, body in zip(parts[::3], parts[2::3], strict=True)
        }
        self._prepared: dict[str, PreparedStatement] = {}
        self.schema = schema

    def __getitem__(self, name: str) -> bytes:
        return self._statements[name]

    def prepared(self, name: str) -> PreparedStatement:
        """Return a statement for sessions that prepare it."""
        known = self._prepared.get(name)
        if known is None:
            known = self._prepared[name] = PreparedStatement(f"continuum_{name}", self._statements[name])
        return known

    def channel(self, topic: str) -> str:
        """Return the notification channel of a topic; the function `notify` builds the same."""
        return f"{self.schema}.{topic}"


@cache
def statements_for(schema: str) -> Statements:
    """Return the statements of a schema."""
    return Statements(schema)
