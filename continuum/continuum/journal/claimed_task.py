"""Tasks from the side of the worker that runs them: what it has claimed, and how that ended."""

from __future__ import annotations

from typing import Any, NamedTuple

from continuum.engine.ids import RunId
from continuum.journal.facts import InboxKind


class ClaimedTask(NamedTuple):
    """A task for this worker to run now; see `NewTask`. `remaining` are the seconds until its deadline.

    `workflow` and `trace_context` are those of its run. `waited` is how many seconds it was due before this
    claim, None if that is not known.
    """

    run_id: RunId
    seq: int
    dispatch: int
    attempt: int
    queue: str
    activity: str
    arguments: bytes
    timeout: float
    key: str | None
    heartbeat_timeout: float = 0.0
    remaining: float | None = None
    last_heartbeat: bytes | None = None
    workflow: str = ""
    trace_context: str | None = None
    waited: float | None = None


class TaskResult(NamedTuple):
    """How a claimed task ended; `kind` and `body` as in `InboxKind`."""

    task: ClaimedTask
    kind: InboxKind
    body: tuple[Any, ...]
