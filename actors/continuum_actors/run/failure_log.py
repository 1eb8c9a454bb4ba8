"""The log of failures: one line for each failed or blocked run and for each failed attempt.

A run logs a failure when it is durable. So neither a replay nor a later owner repeats the line, and a write
that the fence refuses logs nothing: the owner that repeats the work logs the outcome.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from continuum.definitions.run_fields import run_fields
from continuum.engine.ids import RunId
from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.journal.port import ClaimedRun, RunRow, RunState, RunWrite
from continuum.quoting import one_line

runs = logging.getLogger("continuum.runs")
activities = logging.getLogger("continuum.activities")


class FailedAttempt(NamedTuple):
    """A failed attempt of an activity; `retry_after` is in seconds, None if no attempt follows."""

    activity: str
    attempt: int
    type: str
    message: str
    retry_after: float | None


def log_attempts(claim: ClaimedRun, failed: Sequence[FailedAttempt]) -> None:
    """Log failed attempts: warnings, because the run continues."""
    for activity, attempt, type, message, retry_after in failed:
        activities.warning(
            "run %s of %s: attempt %d of %s failed, %s: %s",
            claim.id,
            one_line(claim.workflow),
            attempt,
            one_line(activity),
            "it was the last" if retry_after is None else f"the next follows in {retry_after:.3g} s",
            one_line(f"{type}: {message}"),
            extra={**about(claim), "activity": activity, "attempt": attempt},
        )


def log_end(claim: ClaimedRun, write: RunWrite) -> None:
    """Log that a run has failed, is blocked, or waits for other code, if its durable write says so."""
    end, workflow = write.transition, one_line(claim.workflow)
    if end is None:
        return
    if end.state is RunState.FAILED:
        error = one_line(_error_in(end.error))
        runs.error("run %s of %s failed: %s", claim.id, workflow, error, extra=about(claim))
    elif end.state is RunState.BLOCKED:
        log_blocked(claim, end.reason or "")
    elif write.refusal is not None:
        # A node of other code continues it.
        runs.warning(
            "run %s of %s does not match the code loaded here: %s",
            claim.id,
            workflow,
            one_line(write.refusal.reason),
            extra=about(claim),
        )


async def log_poison(look_up: Callable[[RunId], Awaitable[RunRow | None]], run_id: RunId) -> None:
    """Log that a run is blocked if the death that has just been counted against it was the last allowed."""
    row = await look_up(run_id)
    if (
        row is not None
        and row.state is RunState.BLOCKED
        and row.fault is not None
        and row.fault.kind == "poison"
    ):
        log_blocked(row, row.reason or "")


def log_blocked(claim: ClaimedRun | RunRow, reason: str) -> None:
    """Log that a run waits for an operator, who would not learn of it otherwise."""
    workflow = one_line(claim.workflow)
    runs.error("run %s of %s is blocked: %s", claim.id, workflow, one_line(reason), extra=about(claim))


def about(run: ClaimedRun | RunRow) -> dict[str, object]:
    """Return what a line about a run has besides its text."""
    return run_fields(run.id, run.workflow, run.trace_context)


def _error_in(stored: bytes | None) -> str:
    try:
        type, message, *_ = unpack_body(stored or b"")
    except (CorruptBody, ValueError):
        return "its error cannot be read"
    return f"{type}: {message}"
