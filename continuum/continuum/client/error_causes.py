"""Where the error of a run comes from: the activity or the child that failed, as its history has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from continuum.client.histories import Event
from continuum.client.runs import RunError
from continuum.quoting import shortened

_FAILURES = frozenset({"activity_failed", "compensation_failed", "child_failed"})


@dataclass(frozen=True, slots=True)
class ErrorCause:
    """The failure that a run's error repeats.

    `event` is its number in the history and `name` that of the activity or of the child's workflow, whose
    run is `child_run_id`. `traceback` is that of the process where it failed; it may be empty.
    """

    event: int
    name: str | None
    type: str
    message: str
    traceback: str
    attempt: int | None
    child_run_id: str | None


def cause_of(error: RunError | None, history: Sequence[Event]) -> ErrorCause | None:
    """Return the latest failure of an activity or a child that an error repeats; None if it repeats none."""
    if error is None:
        return None
    for event in reversed(history):
        if event.type in _FAILURES and {"type", "message"} <= set(event.payload):
            cause = _cause(event.seq, event.name, event.payload)
            # As the exception that the workflow got says it, or as it was given a name of its own.
            said = f"{shortened(cause.type)}: {shortened(cause.message)}"
            if " ".join(error.message.split()).endswith(" ".join(said.split())):
                return cause
    return None


def _cause(seq: int, name: str | None, payload: dict[str, Any]) -> ErrorCause:
    return ErrorCause(
        seq,
        name,
        str(payload["type"]),
        str(payload["message"]),
        str(payload.get("traceback") or ""),
        payload.get("attempt"),
        payload.get("child_run_id"),
    )
