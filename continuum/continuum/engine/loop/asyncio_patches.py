"""asyncio functions that behave differently between processes or Python versions, repaired for workflows.

- `as_completed` copies bare coroutines through a set, which orders them by address, and
  starts its timer at the call or at the first iteration, depending on the version;
- `wait_for` wraps the awaitable in a task before Python 3.12 and no longer does since, so
  two calls of it issue their commands in a different order.

The code of the functions is replaced, not their names, so a module that imported one
earlier gets the repair too. Outside a workflow's loop they behave as before.
"""

from __future__ import annotations

import asyncio
import sys
import types
from asyncio import events, tasks
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any


class AsCompleted(Iterator[Coroutine[Any, Any, Any]], AsyncIterator["asyncio.Future[Any]"]):
    """`asyncio.as_completed` in the order of its arguments, with both kinds of iteration on every version."""

    def __init__(self, awaitables: Iterable[Awaitable[Any]], timeout: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._completed: asyncio.Queue[asyncio.Future[Any] | None] = asyncio.Queue()
        # A dict where asyncio has a set: it distinguishes awaitables by identity and keeps their order.
        self._running = dict.fromkeys(
            asyncio.ensure_future(awaitable, loop=loop) for awaitable in dict.fromkeys(awaitables)
        )
        self._left = len(self._running)
        self._timer: asyncio.TimerHandle | None = None
        if self._running and timeout is not None:
            self._timer = loop.call_later(timeout, self._expire)
        for future in self._running:
            future.add_done_callback(self._complete)

    def __iter__(self) -> Iterator[Coroutine[Any, Any, Any]]:
        return self

    def __next__(self) -> Coroutine[Any, Any, Any]:
        if not self._left:
            raise StopIteration
        self._left -= 1
        return self._next_result()

    def __aiter__(self) -> AsyncIterator[asyncio.Future[Any]]:
        return self

    async def __anext__(self) -> asyncio.Future[Any]:
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return await self._next_completed()

    async def _next_completed(self) -> asyncio.Future[Any]:
        future = await self._completed.get()
        if future is None:
            raise TimeoutError
        return future

    async def _next_result(self) -> Any:
        return (await self._next_completed()).result()

    def _complete(self, future: asyncio.Future[Any]) -> None:
        if future in self._running:
            del self._running[future]  # pyright: ignore[reportArgumentType] - the tasks among futures
            self._completed.put_nowait(future)
            if not self._running and self._timer is not None:
                self._timer.cancel()

    def _expire(self) -> None:
        for future in self._running:
            future.remove_done_callback(self._complete)
            self._completed.put_nowait(None)
        self._running.clear()


async def wait_for(awaitable: Awaitable[Any], timeout: float | None) -> Any:
    """Do what `asyncio.wait_for` does since Python 3.12."""
    if timeout is not None and timeout <= 0:
        future = asyncio.ensure_future(awaitable)
        if not future.done():
            future.cancel()
            await asyncio.wait([future])
        try:
            return future.result()
        except asyncio.CancelledError as error:
            raise TimeoutError from error
    async with asyncio.timeout(timeout):
        return await awaitable


def install(workflow_loop: type) -> None:
    """Repair asyncio for code that runs on a `workflow_loop`."""

    def in_workflow() -> bool:
        return type(events._get_running_loop()) is workflow_loop

    names: dict[str, Callable[..., Any]] = {
        "_continuum_in_workflow": in_workflow,
        "_continuum_as_completed": _ordered,
        "_continuum_asyncio_as_completed": _twin(tasks.as_completed),
        "_continuum_wait_for": wait_for,
        "_continuum_asyncio_wait_for": _twin(tasks.wait_for),
    }
    for name, value in names.items():
        setattr(tasks, name, value)
    tasks.as_completed.__code__ = _as_completed.__code__
    if sys.version_info < (3, 12):
        tasks.wait_for.__code__ = _wait_for.__code__


def _ordered(fs: Iterable[Awaitable[Any]], timeout: float | None) -> AsCompleted:
    if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
        raise TypeError(f"expect an iterable of futures, not {type(fs).__name__}")
    return AsCompleted(fs, timeout)


def _twin(function: Any) -> Any:
    """Return a function that keeps doing what `function` does now."""
    twin = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


# asyncio's functions get the code of the next two, which therefore looks up names in asyncio's module.


def _as_completed(fs, *, timeout=None):  # type: ignore[no-untyped-def]
    if _continuum_in_workflow():  # type: ignore[name-defined] # noqa: F821
        return _continuum_as_completed(fs, timeout)  # type: ignore[name-defined] # noqa: F821
    return _continuum_asyncio_as_completed(fs, timeout=timeout)  # type: ignore[name-defined] # noqa: F821


async def _wait_for(fut, timeout):  # type: ignore[no-untyped-def]
    if _continuum_in_workflow():  # type: ignore[name-defined] # noqa: F821
        return await _continuum_wait_for(fut, timeout)  # type: ignore[name-defined] # noqa: F821
    return await _continuum_asyncio_wait_for(fut, timeout)  # type: ignore[name-defined] # noqa: F821
