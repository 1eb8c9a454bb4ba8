"""The commands that mend what a check has found, and the names that they take."""

from __future__ import annotations

import re

from continuum.operations.commands import command

# Postgres 14.4 mended concurrent builds of indexes.
BAD_BUILDS = range(140_000, 140_004)
# What Postgres calls the new and the old index of a rebuild beside writers.
_LEFT_BEHIND = re.compile(r"(\w+?)_cc(?:new|old)\d*", re.ASCII)


def repair_command(code: str, subject: str, schema: str | None = None) -> str:
    """Return the command that mends a finding, in another schema than the default one if that is given."""
    return command(schema, "repair", code, subject)


def left_behind(name: str) -> str | None:
    """Return of which index an interrupted rebuild has left this one behind; None without such a name."""
    left = _LEFT_BEHIND.fullmatch(name)
    return None if left is None else left[1]
