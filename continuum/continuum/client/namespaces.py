"""The namespace guard of calls that name a run by its id: a run of another namespace is not found.

Without a namespace the id alone is enough. None is refused: a failed lookup of a tenant
returns None, and that must not open every tenant's runs.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias

from continuum.definitions.name_rules import short_text
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
    """Return `namespace` if it can be one."""
    return namespace if isinstance(namespace, AnyNamespace) else short_text(namespace, "namespace")


def guarded(run_id: RunId, row: RunRow | None, namespace: InNamespace) -> RunRow:
    """Return the row if there is one and it is in the namespace, else raise `RunNotFound`."""
    if row is None or namespace not in (ANY_NAMESPACE, row.namespace):
        raise RunNotFound(run_id, namespace=None if isinstance(namespace, AnyNamespace) else namespace)
    return row
