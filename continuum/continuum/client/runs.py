"""`Run`, the public view of a run, pages of runs, and how a run ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from continuum.client.pause_outcome import Pause, public_pause
from continuum.client.wait_reasons import Present, reason_of
from continuum.engine.ids import RunId
from continuum.errors import RunCancelled, RunFailed
from continuum.journal.ended_run import EndedRun
from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.journal.facts import RunRow, RunState
from continuum.journal.untyped_values import at, readable, readable_call
from continuum.quoting import shortened


@dataclass(frozen=True, slots=True)
class RunError:
    """The exception with which a run failed."""

    type: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class RunFault:
    """Why code cannot continue a run, for programs; the run's `reason` says the same as a sentence.

    `kind` is ``drift``, ``input``, ``poison`` or ``corrupt``. For a drift, the event `position` of the
    history is `expected`, the code wants `actual`, and `where` is the line of code. For an ``input`` that the
    code cannot read only `actual` is set: which part does not fit, and why.
    """

    kind: str
    position: int | None = None
    expected: str | None = None
    actual: str | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run at one moment.

    `input` holds the positional arguments of its start and `keywords` the keyword
    arguments; they and `result` are plain values (a dataclass reads as a dict), because a
    client needs no workflow code. `state` is ``running``, ``suspended``, ``blocked``,
    ``completed``, ``failed``, ``cancelled`` or ``continued``. `reason` says why a run is blocked, or
    what a run that is not running waits for; for a cancelled run it is "parent_cancelled" if the end
    of its parent stopped it. `fault` is the reason of a blocked run as data. A run that continued as new is
    ``continued``, and `continued_to` is the run that continues its work. `pause` is that of an open run: its
    own, or that of its workflow or namespace. Times are aware and in UTC.
    """

    id: str
    workflow: str
    version: str | None
    namespace: str
    state: str
    input: Any
    keywords: Any
    result: Any
    error: RunError | None
    reason: str | None
    attributes: dict[str, Any]
    idempotency_key: str | None
    trace_context: str | None
    parent_run_id: str | None
    continued_from: str | None
    continued_to: str | None
    started_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    fault: RunFault | None = None
    pause: Pause | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some runs, and the cursor of the next page; `next_cursor` is None on the last page.

    `looked_at` is how many runs were looked at if no index leads to those that were asked for. Such a page
    may have fewer entries than were asked for, or none, and be followed by others.
    """

    entries: list[Run]
    next_cursor: str | None
    looked_at: int | None = None


def run_of(row: RunRow, present: Present, *, payloads: bool = True) -> Run:
    """Return the public view of a stored row, which may lack the payloads."""
    args, keywords = readable_call(row.input) if payloads else (None, None)
    return Run(
        id=row.id,
        workflow=row.workflow,
        version=row.version,
        namespace=row.namespace,
        state=row.state.name.lower(),
        input=args,
        keywords=keywords,
        result=readable(row.result),
        error=error_of(row.error) if row.state is RunState.FAILED else None,
        reason=reason_of(row, present),
        fault=None if row.fault is None else RunFault(*row.fault),
        pause=None if row.pause is None else public_pause(row.pause, row.id),
        attributes=row.attributes,
        idempotency_key=row.idempotency_key,
        trace_context=row.trace_context,
        parent_run_id=row.parent,
        continued_from=row.continued_from,
        continued_to=row.continued_to,
        started_at=at(row.started_at),
        updated_at=at(row.updated_at),
        completed_at=None if row.completed_at is None else at(row.completed_at),
    )


def error_of(data: bytes | None) -> RunError:
    """Return the error of a failed run from its stored form."""
    try:
        type, message, traceback = unpack_body(data or b"")
        return RunError(str(type), str(message), str(traceback))
    except (CorruptBody, ValueError) as error:
        return RunError("unknown", f"the stored error cannot be read: {shortened(error)}", "")


def outcome_of(row: RunRow | EndedRun, decode_result: Callable[[bytes], Any]) -> Any:
    """Return the result of a completed run; raise the error of a failed or cancelled one."""
    match row.state:
        case RunState.COMPLETED:
            return None if row.result is None else decode_result(row.result)
        case RunState.FAILED:
            error = error_of(row.error)
            raise RunFailed(row.id, error.type, error.message, error.traceback)
        case RunState.CANCELLED:
            raise RunCancelled(row.id, row.reason)
        case state:
            raise AssertionError(f"run {row.id} is {state.name.lower()} and has no outcome")


def not_ended(run_id: RunId, waited: float, row: RunRow | None, present: Present | None = None) -> str:
    """Return the message for a run that did not end in time; `row` is None if it could not be read."""
    reason = None if row is None or present is None else reason_of(row, present)
    if row is not None and row.state is RunState.BLOCKED:
        return f"run {row.id} is blocked and waits for an operator: {reason}"
    if row is None:
        return (
            f"run {run_id} is not known to have ended within {waited:g} s: the database does not answer; "
            "ask again later"
        )
    doing = reason or "is still running"
    return (
        f"run {run_id} has not ended within {waited:g} s; it {doing}, ask again later "
        f"(`continuum explain {run_id}` says more)"
    )
