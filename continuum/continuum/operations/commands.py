"""Commands as a person copies them into a shell, for the findings that give them."""

from __future__ import annotations

import shlex

DEFAULT_SCHEMA = "continuum"


def command(schema: str | None, *words: str) -> str:
    """Return a command of `continuum`, in another schema than the default one if that is given."""
    where = () if schema in (None, DEFAULT_SCHEMA) else ("--schema", str(schema))
    return shlex.join(("continuum", *words, *where))
