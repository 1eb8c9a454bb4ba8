"""The activities and children that a run waits for, and what their results do to them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.errors import ActivityError, ChildFailed

Options: TypeAlias = dict[str, Any] | None

# Looked up once: before Python 3.12 the member of an Enum takes a tenth of a microsecond.
_COMPLETED = (EventType.ACTIVITY_COMPLETED, EventType.COMPENSATION_COMPLETED)


@dataclass(slots=True)
class PendingActivity:
    """An activity or compensation the run waits for."""

    seq: int
    type: int
    name: str
    arguments: bytes
    options: Options
    definition: Any
    future: asyncio.Future[bytes] = field(repr=False)
    # When it was scheduled, on the journal's clock.
    at: int = 0
    attempt: int = 1
    crashes: int = 0
    # How often it was started again uncounted since the run is live here; not journaled.
    restarts: int = 0
    retry_due: int | None = None
    # When it must be over with all its attempts, if its caller has set that.
    deadline: int | None = None


@dataclass(slots=True)
class PendingChild:
    """A child that has not ended as far as the run knows; `stopping` once the run has cancelled it."""

    seq: int
    run_id: RunId
    workflow: str
    input: bytes
    close_policy: int
    definition: Any
    future: asyncio.Future[bytes] = field(repr=False)
    stopping: bool = False
    # When it was started, on the journal's clock.
    at: int = 0


def resolve(pending: dict[int, PendingActivity], event: Event) -> bool:
    """Give an activity its result or its failure; False when no code waits for it."""
    # Unpacked once: each look at a field by its name takes longer.
    _, type, _, body = event
    activity = pending.pop(body[0], None)
    if activity is None or activity.future.done():
        return False
    if type in _COMPLETED:
        activity.future.set_result(body[1])
    else:
        activity.future.set_exception(ActivityError(activity.name, *body[1:5]))
    return True


def record_attempt(pending: dict[int, PendingActivity], event: Event) -> bool:
    """Record a retry of an activity, its start or a crash; False when no code waits for it."""
    activity = pending.get(event.body[0])
    if activity is None:
        return False
    if event.type == EventType.ACTIVITY_RETRIED:
        activity.attempt = event.body[3] + 1
        activity.retry_due = event.body[4]
    else:
        # Restarted; or crashed, and an activity that crashes has been restarted.
        activity.retry_due = None
        if event.type == EventType.ACTIVITY_CRASHED:
            activity.crashes = event.body[1]
    return True


def end_child(children: dict[int, PendingChild], event: Event) -> bool:
    """Give a child its result or its failure; False when no code waits for it."""
    child = children.pop(event.body[0], None)
    if child is None or child.future.done():
        return False
    if event.type == EventType.CHILD_COMPLETED:
        child.future.set_result(event.body[1])
        return True
    if event.type == EventType.CHILD_FAILED:
        _, type, message, traceback = event.body[:4]
        child.future.set_exception(ChildFailed(child.run_id, type, message, traceback))
    else:
        child.future.set_exception(
            ChildFailed(child.run_id, "CancelledError", "it was cancelled", "", cancelled=True)
        )
    # Mark the exception as retrieved: a child that no code awaits may fail without an asyncio warning.
    child.future.exception()
    return True
