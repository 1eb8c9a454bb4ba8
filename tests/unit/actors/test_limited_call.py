"""A limited call ends with whatever its code ends with, also with what closes coroutines on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import FrameType

import pytest

from continuum.definitions.call_outcome import CallOutcome
from continuum_actors.activity.deadline import Deadline, Limits
from continuum_actors.activity.limited_call import LimitedCall, outcome_of
from continuum_actors.activity.watched_steps import watched
from continuum_actors.host.leftovers import Leftovers
from continuum_actors.host.pulse import NoPulse
from continuum_supervision.clock import SystemClock


async def ends_with(error: BaseException) -> None:
    """Wait for a task that raises."""

    async def raises() -> None:
        await asyncio.sleep(0)
        raise error

    await asyncio.create_task(raises())


class WatchedWork:
    """A call of an `async def` in a host that leaves traces."""

    turns_to_end = 0

    def __init__(self, error: BaseException) -> None:
        self.outcome: asyncio.Future[CallOutcome] = asyncio.ensure_future(
            watched(NoPulse(), b"trace", outcome_of(ends_with(error)))
        )

    def stop(self) -> None:
        self.outcome.cancel()

    def frames(self) -> Iterable[FrameType]:
        return ()


@pytest.mark.parametrize("error", [GeneratorExit(), asyncio.CancelledError(), ValueError()], ids=repr)
def test_a_watched_call_ends_with_the_error_of_a_task_that_it_waits_for(error: BaseException) -> None:
    async def result() -> object:
        call = LimitedCall("activity", Leftovers(), lambda: None)
        return await call.result(WatchedWork(error), Deadline(Limits(), SystemClock(), call.give_up))

    with pytest.raises(type(error)):
        asyncio.run(result())
