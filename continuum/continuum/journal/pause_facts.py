"""What is paused, since when, by whom and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class PauseKind(StrEnum):
    """What is paused together."""

    WORKFLOW = "workflow"
    QUEUE = "queue"
    NAMESPACE = "namespace"


class PauseScope(NamedTuple):
    """What a pause is about; `namespace` is that of a workflow, empty for all."""

    kind: PauseKind
    name: str
    namespace: str = ""

    def holds(self, workflow: str, namespace: str) -> bool:
        """Whether runs of this workflow and namespace are paused."""
        match self.kind:
            case PauseKind.WORKFLOW:
                return self.name == workflow and self.namespace in ("", namespace)
            case PauseKind.NAMESPACE:
                return self.name == namespace
            case PauseKind.QUEUE:
                return False


@dataclass(frozen=True, slots=True)
class StoredPause:
    """A pause: of `scope`, or of one run if that is None. `since` is on the journal's clock."""

    scope: PauseScope | None
    since: int
    by: str | None
    reason: str | None
