"""How a claimed run begins or resumes: a decision, taken before its code runs.

`decide` returns the decision and `Run` carries it out. It changes nothing; if the run was
executed by other code, it replays the history through ours to see whether the two match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from continuum.codec.arguments import TAKE_OLD_CALLS, unreadable_input
from continuum.definitions.activity_options import why_unreadable
from continuum.definitions.workflow import Workflow
from continuum.engine.drift_messages import unreadable_options
from continuum.engine.dry_replay import dry_pass
from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Blocked
from continuum.engine.pending import PendingActivity
from continuum.errors import DurableTermError
from continuum.journal.port import ClaimedRun, Fault, InboxRow, StoredHistory
from continuum_actors.run.consumed_mail import stop_request_in
from continuum_actors.run.run_writes import describe_blocked, run_info


class Begin(NamedTuple):
    """Replay the history through the code, then let the code continue."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    history: list[Event]
    """With `changed` as its last event, if the code is not that of the history."""
    length: int
    """How long the history is, what the snapshot holds included."""
    changed: Event | None


class EndStopped(NamedTuple):
    """End the run as cancelled, without running its code: it has nothing to compensate."""

    request: InboxRow


class Refuse(NamedTuple):
    """Leave the run as it is for other code: it does not match ours."""

    reason: str
    fault: Fault


class CannotReadInput(NamedTuple):
    """Block the run until code that can read its input is deployed."""

    reason: str
    mismatch: str
    """Which part of the input does not fit, and why."""


class Corrupt(NamedTuple):
    """Block the run: its row cannot be right."""

    reason: str


Decision: TypeAlias = Begin | EndStopped | Refuse | CannotReadInput | Corrupt


def decide(
    claim: ClaimedRun,
    workflow: Workflow[..., Any],
    stored: StoredHistory,
    mail: Sequence[InboxRow],
    now: int,
) -> Decision:
    """Return what to do with a claimed run; `now` is the journal's time."""
    if claim.started_at < 0:
        return Corrupt("the time of its start cannot be right; restore it, then `continuum runs unblock`")
    compact, history = stored
    length = len(history) + (compact.end if compact is not None else 0)
    request = None if length else stop_request_in(mail)
    # On a later attempt a run without a history may have code that waits inside a `try`.
    if request is not None and claim.attempt == 1:
        return EndStopped(request)
    changed: Event | None = None
    if claim.version and claim.version != workflow.version_hash:
        drift = _drift(claim, workflow, history, now)
        if drift is not None:
            return Refuse(*describe_blocked(drift))
        changed = _version_change(claim, workflow, history, now)
        history = [*history, changed]
        length += 1
    try:
        args, kwargs = workflow.arguments.decode_call(claim.input)
    except DurableTermError as error:
        if request is not None:
            return EndStopped(request)
        # The run has not failed: code that can read the input again lets it continue.
        return CannotReadInput(_with_way_out(error, begun=length > 0), str(error))
    return Begin(args, kwargs, history, length, changed)


def unreadable_call(pending: Iterable[PendingActivity]) -> Blocked | None:
    """Return why one of the calls that a run waits for cannot be made, None if all can.

    Replay reads no options, so only what still runs is looked at. A newer release may have written them.
    """
    for activity in pending:
        if activity.options is not None:
            why = why_unreadable(activity.definition.defaults, activity.options)
            if why is not None:
                return unreadable_options(activity.seq, activity.name, why)
    return None


def _with_way_out(error: DurableTermError, *, begun: bool) -> str:
    """Return why an input cannot be read and what to do; some errors say how to change the code."""
    sentence = unreadable_input(error)
    why = sentence.removesuffix(f"; {TAKE_OLD_CALLS}")
    if why != sentence:
        change = TAKE_OLD_CALLS
    else:
        change = "" if ";" in error.reason else "deploy code that can read it"
    # Without a history nothing is lost, and the code may be right.
    restart = "" if begun else "cancel it and start it again with what the code takes"
    ways = ", or ".join(filter(None, (restart, change)))
    return f"{why}; {ways}" if ways else why


def _version_change(
    claim: ClaimedRun, workflow: Workflow[..., Any], history: Sequence[Event], now: int
) -> Event:
    """Return the event that records whose commands the history has from here on."""
    at = max(now, history[-1].at if history else claim.started_at)
    return Event(len(history), EventType.VERSION_CHANGED, at, (claim.version, workflow.version_hash))


def _drift(
    claim: ClaimedRun, workflow: Workflow[..., Any], history: Sequence[Event], now: int
) -> Blocked | None:
    """Return why the code cannot continue a run of other code, None if it can."""
    try:
        # Decoded for this replay only: the code may change its arguments.
        args, kwargs = workflow.arguments.decode_call(claim.input)
    except DurableTermError as error:
        return Blocked("input", unreadable_input(error), actual=str(error))
    return dry_pass(
        workflow.fn(*args, **kwargs),
        history,
        run_info(claim, workflow),
        started_at=claim.started_at,
        now=now,
        definition=workflow,
        depth=claim.depth,
    )
