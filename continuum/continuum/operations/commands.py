"""Commands as a person copies them into a shell, for the findings that give them."""

from __future__ import annotations

import shlex

DEFAULT_SCHEMA = "continuum"


def command(schema: str | None, *words: str) -> str:
    """Return a command of `continuum`, in another schema than the default one if that is given."""
    return in_schema(shlex.join(("continuum", *words)), schema)


def in_schema(given: str, schema: str | None) -> str:
    """Return a command of `continuum` with the schema, if that is another one than the default."""
    return given if schema in (None, DEFAULT_SCHEMA) else with_options(given, "--schema", str(schema))


def with_options(given: str, *options: str) -> str:
    """Return a command with more options, before the arguments that are no options."""
    words = shlex.split(given)
    at = words.index("--") if "--" in words else len(words)
    return shlex.join([*words[:at], *options, *words[at:]])
