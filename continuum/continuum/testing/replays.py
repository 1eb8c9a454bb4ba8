"""Replays in tests: a history through a workflow's code, without a journal, a loop or any effect."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from continuum.definitions.workflow import Workflow
from continuum.replays.histories import History
from continuum.replays.replay import Replayed, difference, replay_here
from continuum.testing.public import public

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@public
def replay(
    workflow: Workflow[..., Any], history: History, *, input: tuple[Any, ...] | None = None
) -> Replayed:
    """Replay a history through `workflow` and return how that ended.

    `input` replaces the arguments with which the run was started.
    """
    return _in_a_thread(lambda: replay_here(workflow, history, input=input))


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
