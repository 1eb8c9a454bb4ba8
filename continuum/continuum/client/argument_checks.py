"""Checks of a caller's arguments, before anything is written.

Text goes into index rows of a database that has no NUL character, so every
name and key is limited in bytes and has no control characters.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from continuum.definitions.name_rules import NAME_BYTES, short_text
from continuum.engine.ids import NodeId, RunId, parse_run_id
from continuum.errors import InvalidOption, NodeNotFound, RunNotFound
from continuum.quoting import quoted


class HasRunId(Protocol):
    """A handle of a run, or a `Run`."""

    @property
    def id(self) -> str:
        """The id of the run."""
        ...


RunOrId: TypeAlias = str | HasRunId
"""Which run is meant: its id, its handle, or the `Run` that was read."""


def run_id_of(run: RunOrId) -> RunId:
    """Return an id to look up in canonical form; `RunNotFound` if it is not a UUID."""
    text: Any = getattr(run, "id", run)
    try:
        return parse_run_id(text)
    except (ValueError, AttributeError, TypeError):
        raise RunNotFound(str(text)) from None


def new_id(text: str) -> RunId:
    """Return an id for a new run in canonical form; `InvalidOption` if it is not a UUID."""
    try:
        return parse_run_id(text)
    except (ValueError, AttributeError, TypeError):
        raise InvalidOption(
            f"id must be a UUID, not {quoted(text)}; leave it out, or use "
            "idempotency_key= for names of your own"
        ) from None


def node_of(text: str) -> NodeId:
    """Return the name of a node to look up; `NodeNotFound` for one that no database can hold."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise NodeNotFound(text)
    return NodeId(text)


def signal_name(value: object) -> str:
    """Return `value` if it can be the name of a signal."""
    return short_text(value, "a signal's name", most=NAME_BYTES)


def published_name(value: object) -> str:
    """Return `value` if it can be the name of a published value."""
    return short_text(value, "the name of a published value", most=NAME_BYTES)
