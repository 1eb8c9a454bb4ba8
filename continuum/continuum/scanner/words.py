"""Tables of names are written as text: a hundred quoted strings are not read by anybody."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())
