"""Replays a history through a workflow's code, without a journal, a loop or any effect.

The code runs through the history and no further: no random value is made, nothing is read or started.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from continuum.codec.arguments import unreadable_input
from continuum.definitions.effects import RunInfo
from continuum.definitions.workflow import Workflow
from continuum.engine.dry_replay import END_OF_HISTORY, DryCommandLog, dry_execution
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import RunId
from continuum.engine.outcome import Blocked, Cancelled, Completed, Continued, Failed, Outcome
from continuum.errors import DurableTermError
from continuum.testing.histories import History
from continuum.testing.public import public
from continuum.testing.waiting import waits_of

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@public
@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay ended.

    `state` is ``completed`` (with `result`), ``failed`` (with `error`), ``cancelled``, ``continued`` (with
    `continued_to`), ``suspended`` (with what it `waits_for`), ``going_on`` (the code has a `next_command`
    after the end of the history) or ``drifted`` (the code does not match the history, with the `reason`).
    """

    state: str
    result: Any = None
    error: BaseException | None = None
    continued_to: str | None = None
    waits_for: tuple[str, ...] = ()
    next_command: str | None = None
    reason: str | None = None


@public
def replay(
    workflow: Workflow[..., Any], history: History, *, input: tuple[Any, ...] | None = None
) -> Replayed:
    """Replay a history through `workflow` and return how that ended.

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

    def replay_dry() -> Replayed:
        execution, log = dry_execution(info, workflow, start.depth)
        last = history.stored[-1].at if history.stored else start.started_at
        program: Coroutine[Any, Any, Any] = workflow.fn(*args, **kwargs)
        outcome = execution.begin(program, history.stored, started_at=start.started_at, now=last)
        try:
            return _replayed(execution, log, outcome, history)
        finally:
            execution.close()

    return _in_a_thread(replay_dry)


@public
def assert_replays(
    workflow: Workflow[P, R],
    history: History,
    *,
    input: tuple[Any, ...] | None = None,
    expected: object = ...,
) -> R:
    """Fail unless `workflow` replays the whole history, to the end of the run; return the result.

    If the run has not ended, the code must wait where the run waits. If `expected` is given, the run
    must have returned it. The result is None unless the run has completed.
    """
    replayed = replay(workflow, history, input=input)
    problem = difference(workflow, history, replayed)
    if problem is not None:
        raise AssertionError(f"{workflow.name} does not replay run {history.beginning.run_id}: {problem}")
    if expected is not ... and (replayed.state != "completed" or replayed.result != expected):
        ended = f"returned {replayed.result!r}" if replayed.state == "completed" else f"is {replayed.state}"
        raise AssertionError(
            f"run {history.beginning.run_id} of {workflow.name} {ended}, and {expected!r} was expected"
        )
    result: R = replayed.result
    return result


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
    open_states = ("running", "suspended", "blocked")
    if then.state in open_states:
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
            if outcome is END_OF_HISTORY:
                return Replayed("going_on", next_command=log.asked)
            return Replayed("drifted", reason=outcome.reason)


def _in_a_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread without a running loop, because the test itself may run inside a loop."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - the caller raises it again
            failed.append(error)

    thread = threading.Thread(target=run, name="replay")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
