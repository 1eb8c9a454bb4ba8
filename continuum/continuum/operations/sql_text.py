"""Names and texts as they are written in SQL, for the commands that a finding gives."""

from __future__ import annotations


def identifier(name: str) -> str:
    """Return a name in SQL, all of it printable."""
    if name.isprintable():
        return '"' + name.replace('"', '""') + '"'
    return 'U&"' + "".join(map(_in_identifier, name)) + '"'


def literal(text: str) -> str:
    """Return a text in SQL, whatever is in it, all of it printable."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return "E'" + "".join(map(_in_literal, text)) + "'"


def _in_identifier(each: str) -> str:
    if each in '"\\':
        return each * 2
    return each if each.isprintable() else f"\\+{ord(each):06x}"


def _in_literal(each: str) -> str:
    if each in "'\\":
        return each * 2
    return each if each.isprintable() else f"\\U{ord(each):08x}"
