"""The guard on calls that name a run by its id: whoever gives a namespace means no other's runs.

Not given, an id alone is enough. None is refused: it is what a lookup that found no
tenant gives, and must not open everybody's runs.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

from continuum.client.argument_checks import short_text
from continuum.engine.ids import RunId
from continuum.errors import RunNotFound
from continuum.journal.facts import RunRow


class AnyNamespace(Enum):
    """No namespace was given."""

    ANY = "any"

    def __repr__(self) -> str:
        return "ANY_NAMESPACE"


ANY_NAMESPACE: Final = AnyNamespace.ANY
InNamespace: TypeAlias = str | AnyNamespace


def checked_namespace(namespace: object) -> InNamespace:
    """Return what was given if it may be a namespace."""
    return namespace if isinstance(namespace, AnyNamespace) else short_text(namespace, "namespace")


def guarded(run_id: RunId, row: RunRow | None, namespace: InNamespace) -> RunRow:
    """Return the row if there is one, and it is in the namespace; to others it does not exist."""
    if row is None or namespace not in (ANY_NAMESPACE, row.namespace):
        raise RunNotFound(run_id)
    return row
