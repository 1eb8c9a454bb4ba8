"""The SQL of this adapter: named statements in `.sql` files, loaded once per schema.

What several of them have in common is a part: `-- part: name` begins it, and `{part.name}` stands for it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from psycopg import sql

from continuum.errors import InvalidOption
from continuum.journal.postgres.prepared_statements import PreparedStatement
from continuum.quoting import quoted
from continuum_migrations.names import with_numbers

_BEGIN = re.compile(r"^-- (name|part): (\w+)\n-- (.+)\n", re.MULTILINE)
_PART = re.compile(r"\{part\.(\w+)\}")
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
        statements: dict[str, str] = {}
        parts: dict[str, str] = {}
        for text in statement_files().values():
            # What comes before the first name says what lives in the file.
            found = _BEGIN.split(with_numbers(text).replace("{schema}", name_in_sql))[1:]
            for kind, name, body in zip(found[::4], found[1::4], found[3::4], strict=True):
                (statements if kind == "name" else parts)[name] = body.strip()
        self._statements = {
            name: _PART.sub(lambda found: parts[found[1]], body).encode() for name, body in statements.items()
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


def statement_files() -> dict[str, str]:
    """Return the text of each file of statements by its name."""
    directory = files("continuum.journal.postgres")
    return {
        entry.name: entry.read_text()
        for entry in sorted(directory.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".sql")
    }
