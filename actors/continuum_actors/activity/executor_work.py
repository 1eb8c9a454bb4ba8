"""A call of an activity that the application's executor makes."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from types import FrameType
from typing import Any

from continuum.definitions.activity_executor import ActivityCall, ActivityExecutor
from continuum.definitions.call_outcome import CallOutcome
from continuum_actors.activity.eager_tasks import start_task
from continuum_actors.activity.limited_call import outcome_of
from continuum_actors.host import limits


class ExecutorWork:
    """A call that the application's executor makes."""

    turns_to_end = limits.TURNS_TO_END

    def __init__(self, executor: ActivityExecutor, call: ActivityCall) -> None:
        self._executor = executor
        self._call = call
        self.outcome: asyncio.Future[CallOutcome] = start_task(
            outcome_of(self._result()), asyncio.get_running_loop()
        )

    async def _result(self) -> Any:
        answer: object = self._executor.submit(self._call)
        if not inspect.isawaitable(answer):
            raise TypeError(
                f"submit of the executor {type(self._executor).__qualname__} returned "
                f"{type(answer).__qualname__}, not an awaitable; return one, such as a future of asyncio"
            )
        return await answer

    def stop(self) -> None:
        if not self.outcome.done():
            self._executor.cancel(self._call)
            self.outcome.cancel()

    def frames(self) -> Iterable[FrameType]:
        # The code is the executor's, wherever that runs.
        return ()
