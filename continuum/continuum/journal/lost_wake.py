"""`lost_wake`: whether a run has something to do, and nothing would ever wake it, or too late."""

from __future__ import annotations

from collections.abc import Iterable

from continuum.journal.facts import RunState
from continuum.journal.wait import Wait


def lost_wake(
    state: int, *, due_at: int | None, mail: int, attempt: int, waits: Iterable[Wait] | None, now: int
) -> str | None:
    """Return what a run without owner has to do that no claim would see in time; None if all is well.

    Claims find such a run by its due time alone. `mail` is how many rows are in its inbox.
    """
    if state > RunState.SUSPENDED or (due_at is not None and due_at <= now):
        return None
    if mail:
        return f"{mail} unread inbox row{'' if mail == 1 else 's'}"
    if state == RunState.RUNNING and due_at is None:
        return "work under way when its owner left" if attempt else "never been claimed"
    times = [wait.due for wait in waits or () if wait.due is not None]
    if state == RunState.SUSPENDED and times and (due_at is None or due_at > min(times)):
        return "a time to wait for that comes before it is due"
    return None
