"""Patterns of names: texts with gaps, as a search writes them with `*`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

# The parts between the gaps: ("pay", "") has one gap, at its end. A single part has none: it is the name.
Pattern: TypeAlias = Sequence[str]


def matches(pattern: Pattern, name: str) -> bool:
    """Return whether a name is one that the pattern stands for."""
    first, *rest = pattern
    if not rest:
        return name == first
    *middle, last = rest
    if not name.startswith(first):
        return False
    place = len(first)
    for part in middle:
        found = name.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return len(name) - len(last) >= place and name.endswith(last)


def like(pattern: Pattern) -> str:
    """Return the pattern as SQL's LIKE takes it."""
    return "%".join(part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in pattern)
