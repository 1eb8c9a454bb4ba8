"""Names and texts as they are written in SQL, for the commands that a finding gives."""

from __future__ import annotations


def identifier(name: str) -> str:
    """Return a name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text in SQL, whatever is in it."""
    return "'" + text.replace("'", "''") + "'"
