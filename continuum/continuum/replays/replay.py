"""Replays a history through a workflow's code, without a journal, a loop or any effect.

The code runs through the history and no further: no random value is made, nothing is read or started.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from threading import current_thread, main_thread
from typing import Any

from continuum.codec.arguments import unreadable_input
from continuum.definitions.effects import RunInfo
from continuum.definitions.workflow import Workflow
from continuum.engine.dry_replay import END_OF_HISTORY, DryCommandLog, dry_execution
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import RunId
from continuum.engine.outcome import Blocked, Cancelled, Completed, Continued, Failed, Outcome
from continuum.engine.watched_replay import STOPPED, ReplayWatcher, watched_execution
from continuum.errors import DurableTermError
from continuum.failures.exception_text import exception_name, printable
from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.public_names import KIT, public_in
from continuum.replays.histories import History
from continuum.replays.waits import waits_of

OPEN_STATES = ("running", "suspended", "blocked")


@public_in(KIT)
@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay ended.

    `state` is ``completed`` (with `result`), ``failed`` (with `error`), ``cancelled``, ``continued`` (with
    `continued_to`), ``suspended`` (with what it `waits_for`), ``going_on`` (the code has a `next_command`
    after the end of the history), ``drifted`` (the code does not match the history, with the `reason`) or
    ``stopped`` (a person at a debugger has ended it).
    """

    state: str
    result: Any = None
    error: BaseException | None = None
    continued_to: str | None = None
    waits_for: tuple[str, ...] = ()
    next_command: str | None = None
    reason: str | None = None


def replay_here(
    workflow: Workflow[..., Any],
    history: History,
    *,
    input: tuple[Any, ...] | None = None,
    watcher: ReplayWatcher | None = None,
) -> Replayed:
    """Replay a history through `workflow` in this thread, in which no event loop may be running.

    `input` replaces the arguments with which the run was started.
    """
    start = history.beginning
    data = start.input if input is None else workflow.arguments.encode_call(input, {})
    try:
        args, kwargs = workflow.arguments.decode_call(data)
    except DurableTermError as error:
        return Replayed("drifted", reason=unreadable_input(error))
    info = RunInfo(
        RunId(start.run_id),
        start.workflow,
        workflow.label,
        start.namespace,
        1,
        None if start.parent is None else RunId(start.parent),
        start.trace_context,
    )
    execution, log = (
        dry_execution(info, workflow, start.depth)
        if watcher is None
        else watched_execution(info, watcher, workflow, start.depth)
    )
    # Python raises it in the main thread alone.
    log.interruptible = current_thread() is main_thread()
    last = history.stored[-1].at if history.stored else start.started_at
    program: Coroutine[Any, Any, Any] = workflow.fn(*args, **kwargs)
    try:
        outcome = execution.begin(program, history.stored, started_at=start.started_at, now=last)
        return _replayed(execution, log, outcome, history)
    finally:
        execution.close()


def difference(workflow: Workflow[..., Any], history: History, replayed: Replayed) -> str | None:
    """Return how the end of a replay differs from that of the run; None if it does not."""
    then = history.ending
    if replayed.state == "drifted":
        return replayed.reason
    if then.state == "cancelled" and all(
        event.type != EventType.CANCEL_REQUESTED for event in history.stored
    ):
        # Cancelled by force, while blocked, or before it began: its code took no part, and may be anywhere.
        return None
    match replayed.state:
        case "going_on":
            return f"the history ends, and the code continues with {replayed.next_command}"
    now = "suspended" if replayed.state == "suspended" else replayed.state
    if then.state in OPEN_STATES:
        return None if now == "suspended" else f"the run is {then.state}, and the code has {now}"
    if then.state != now:
        return f"the run has {then.state}, and the code {_doing(replayed)}"
    if (
        now == "completed"
        and then.result is not None
        and workflow.encode_result(replayed.result) != then.result
    ):
        recorded = workflow.decode_result(then.result)
        return f"the run returned {recorded!r}, and the code returns {replayed.result!r}"
    return None


def refusal(workflow: Workflow[..., Any], history: History, replayed: Replayed) -> str | None:
    """Return why the code does not accept a history, None if it does.

    An open run has no end to compare yet: it may continue with any code that repeats its history, unless that
    fails at once. A run that failed is accepted by code that fails with an error of the same type.
    """
    then = history.ending
    if then.state in OPEN_STATES:
        fails = f"the run is {then.state}, and after its history the code {_doing(replayed)}"
        return fails if replayed.state == "failed" else replayed.reason
    problem = difference(workflow, history, replayed)
    if problem is None and replayed.state == "failed" and replayed.error is not None:
        recorded, now = _type_of(then.error), printable(exception_name(type(replayed.error)))
        if recorded not in (None, now):
            return f"the run failed with {recorded}, and the code {_doing(replayed)}"
    return problem


def _type_of(error: bytes | None) -> str | None:
    """Return the type of a stored error, None if it cannot be read."""
    try:
        return str(unpack_body(error or b"")[0])
    except (CorruptBody, IndexError):
        return None


def _doing(replayed: Replayed) -> str:
    match replayed.state:
        case "suspended":
            return f"waits for {', or for '.join(replayed.waits_for) or 'nothing that happens by itself'}"
        case "failed":
            return f"fails: {type(replayed.error).__name__}: {replayed.error}"
        case "completed":
            return f"returns {replayed.result!r}"
        case state:
            return f"has {state}"


def _replayed(
    execution: Execution, log: DryCommandLog, outcome: Outcome | None, history: History
) -> Replayed:
    match outcome:
        case None:
            return Replayed("suspended", waits_for=waits_of(execution, history))
        case Completed(value):
            try:
                execution.definition.encode_result(value)
            except DurableTermError as error:
                return Replayed("failed", error=error)  # as the run does
            return Replayed("completed", result=value)
        case Failed(error):
            return Replayed("failed", error=error)
        case Cancelled():
            return Replayed("cancelled")
        case Continued(run_id):
            return Replayed("continued", continued_to=run_id)
        case Blocked():
            if outcome is STOPPED:
                return Replayed("stopped")
            if outcome is END_OF_HISTORY:
                return Replayed("going_on", next_command=log.asked)
            return Replayed("drifted", reason=outcome.reason)
