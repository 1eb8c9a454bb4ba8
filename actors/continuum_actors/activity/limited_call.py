"""A call of an activity that is answered at its deadline, whether or not the code ends then.

At the deadline a coroutine is cancelled and a thread is given up. The caller receives
`TimeoutError` at once; code that still runs is a leftover, and whatever it returns later is ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from types import FrameType
from typing import Any, Protocol

from continuum.definitions.call_outcome import CallOutcome
from continuum_actors.activity.deadline import Deadline
from continuum_actors.activity.eager_tasks import start_task
from continuum_actors.host import limits
from continuum_actors.host.leftovers import Leftovers, frames_of_coroutine, frames_of_thread
from continuum_actors.host.thread_pool import ThreadCall, ThreadPool


class Work(Protocol):
    """Running code."""

    outcome: asyncio.Future[CallOutcome]
    turns_to_end: int
    """How many turns of the loop it gets to end once it has been stopped."""

    def stop(self) -> None:
        """Have it end, if it can."""
        ...

    def frames(self) -> Iterable[FrameType]:
        """Return where the code is now, outermost first."""
        ...


class CoroutineWork:
    """A call of an `async def`, in a task of its own."""

    turns_to_end = limits.TURNS_TO_END

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self.outcome: asyncio.Future[CallOutcome] = start_task(
            outcome_of(coroutine), asyncio.get_running_loop()
        )

    def stop(self) -> None:
        self.outcome.cancel()

    def frames(self) -> Iterable[FrameType]:
        return frames_of_coroutine(self._coroutine)


class ThreadWork:
    """A call of a `def`, in a thread."""

    turns_to_end = 0

    def __init__(self, threads: ThreadPool, call: ThreadCall) -> None:
        self._threads = threads
        self._call = call
        self.outcome = call.outcome

    def stop(self) -> None:
        self._threads.give_up(self._call)

    def frames(self) -> Iterable[FrameType]:
        return frames_of_thread(self._call.frame())


async def outcome_of(coroutine: Coroutine[Any, Any, Any]) -> CallOutcome:
    """Return how a coroutine ended; it never raises."""
    try:
        return CallOutcome(await coroutine, None)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the attempt has failed with it
        return CallOutcome(None, error)


def _outcome_of_ended(work: asyncio.Future[CallOutcome]) -> CallOutcome:
    if work.cancelled():
        return CallOutcome(None, asyncio.CancelledError())
    # A `GeneratorExit` closes the coroutines that it passes, also those that would have caught it.
    error = work.exception()
    return work.result() if error is None else CallOutcome(None, error)


class LimitedCall:
    """Waits for work until its deadline. `expired` is called when that comes first."""

    __slots__ = ("_answer", "_expired", "_leftovers", "_message", "_what", "_work", "deadline")

    def __init__(self, what: str, leftovers: Leftovers, expired: Callable[[], object]) -> None:
        self._what = what
        self._leftovers = leftovers
        self._expired = expired
        self._answer: asyncio.Future[CallOutcome] = asyncio.get_running_loop().create_future()
        self._message: str | None = None
        self._work: Work | None = None

    async def result(self, work: Work, deadline: Deadline) -> Any:
        """Return what the code returned, or raise what it raised, or `TimeoutError` at the deadline."""
        self._work = work
        work.outcome.add_done_callback(self._ended)
        if self._message is not None:
            # Given up before it began.
            self._stop()
        try:
            outcome = await self._answer
        except asyncio.CancelledError:
            work.stop()
            raise
        finally:
            deadline.cancel()
        return outcome.get()

    def give_up(self, message: str) -> None:
        """Answer with `TimeoutError` and this message, and stop the code."""
        if self._message is None and not self._answer.done():
            self._message = message
            if self._work is not None:
                self._stop()

    def _stop(self) -> None:
        assert self._work is not None, "give_up and result come first"
        self._work.stop()
        self._wait_for_end(self._work.turns_to_end)

    def _wait_for_end(self, turns: int) -> None:
        work, message = self._work, self._message
        assert work is not None, "give_up comes first"
        assert message is not None, "give_up comes first"
        if self._answer.done():
            return
        if work.outcome.done():
            self._ended(work.outcome)
        elif turns:
            asyncio.get_running_loop().call_soon(self._wait_for_end, turns - 1)
        else:
            self._expired()
            self._answer.set_result(CallOutcome(None, TimeoutError(message)))
            self._leftovers.add(work.outcome, f"{self._what}: {message}", work.frames)

    def _ended(self, work: asyncio.Future[CallOutcome]) -> None:
        if self._answer.done():
            return
        outcome = _outcome_of_ended(work)
        if self._message is not None:
            self._expired()
            late = TimeoutError(self._message)
            late.__cause__ = outcome.error
            outcome = CallOutcome(None, late)
        self._answer.set_result(outcome)
