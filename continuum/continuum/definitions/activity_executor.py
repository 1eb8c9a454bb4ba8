"""`ActivityExecutor`: an application's own way to run the activities of its node.

The node keeps everything durable: it schedules, retries, bounds the time, and journals the result. The
executor only has the call made: in a pool of its own, by another job queue, on another machine.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, eq=False)
class ActivityCall:
    """One attempt of an activity. `id` is its own: no other attempt of any run has it."""

    id: str
    activity: str
    run_id: str
    attempt: int
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    function: Callable[..., Any]
    context: contextvars.Context = field(repr=False)

    def run(self) -> Any:
        """Call the function here and return what it returns; an `async def` runs in a loop of its own.

        For threads of this process: `activity_context()` works inside. Call it once.
        """
        return self.context.run(self._call)

    def _call(self) -> Any:
        result = self.function(*self.args, **self.kwargs)
        return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result


@runtime_checkable
class ActivityExecutor(Protocol):
    """Has activities called. Every method is called in the event loop of the node."""

    def submit(self, call: ActivityCall) -> Awaitable[Any]:
        """Have the call made; the awaitable returns the function's result, or raises its exception."""
        ...

    def cancel(self, call: ActivityCall) -> None:
        """Nobody waits for this call any more: end it if that is possible."""
        ...

    async def drain(self) -> None:
        """The node stops: return when nothing runs any more, or when waiting longer is of no use."""
        ...


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result
