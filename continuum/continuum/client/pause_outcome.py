"""`Pause` and `PauseOutcome`: what is paused, and what became of a request to pause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from continuum.journal.pause_facts import StoredPause
from continuum.journal.untyped_values import at
from continuum.operations.pause_words import paused_words


@dataclass(frozen=True, slots=True)
class Pause:
    """What is paused: `kind` is ``run``, ``workflow``, ``queue`` or ``namespace``, `name` its id or name.

    `namespace` is that of a paused workflow, None for all. `by` is who has paused it and `reason` why, as far
    as that was said. `since` is aware and in UTC.
    """

    kind: str
    name: str
    namespace: str | None
    since: datetime
    by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class PauseOutcome:
    """The pause that there is now; `already` if there was one before, which stays as it was."""

    pause: Pause
    already: bool

    def __str__(self) -> str:
        words = paused_words(self.pause.since, self.pause.by, self.pause.reason)
        return f"already {words}" if self.already else words


def public_pause(pause: StoredPause, run_id: str = "") -> Pause:
    """Return the public view of a pause, that of this run if it is of one run."""
    kind, name, namespace = pause.scope or ("run", run_id, "")
    return Pause(str(kind), name, namespace or None, at(pause.since), pause.by, pause.reason)
