"""Searches that pages link to, written as a person would write them."""

from __future__ import annotations

from continuum.journal.wait import NOTHING
from continuum.operations.search import searched


def runs_of(**terms: str | None) -> str:
    """Return the search for runs of which each of these fields has this value; None leaves one out."""
    return " ".join(f"{field}:{searched(value)}" for field, value in terms.items() if value is not None)


def waiting_for(kind: str, name: str, workflow: str | None = None) -> str:
    """Return the search for runs that wait for something."""
    within = "" if workflow is None else f" workflow:{searched(workflow)}"
    named = "" if kind == NOTHING or not name else f":{searched(name)}"
    return f"waits:{kind}{named}{within}"


def narrowed(search: str, term: str) -> str:
    """Return a search with a term more, in place of those about the same field."""
    field = f"{term.partition(':')[0]}:"
    # What is in quotes may look like a term.
    kept = [search] if '"' in search else [word for word in search.split() if not word.startswith(field)]
    return " ".join((*kept, term)).strip()
