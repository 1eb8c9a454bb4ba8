"""An asyncio loop in a thread of its own, for callers without a loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from continuum.errors import NotReady

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for any thread but its own; `stop` returns when every call has its result.

    A fork copies the object, but not the thread: in the child every call raises `NotReady`.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._calls: set[Future[Any]] = set()
        self._stopped = False
        # A daemon: a program that forgets to close its client can still end.
        self._thread = threading.Thread(target=self._run, name="continuum-client", daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine; an interrupted wait cancels it."""
        if self.lost_in_fork:
            # Before the lock: a thread of the parent may have held it during the fork.
            coroutine.close()
            raise NotReady(
                "the client was opened before a fork and works only in the parent; "
                "open another with connect_sync() in the child"
            )
        with self._lock:
            if self._stopped or threading.current_thread() is self._thread:
                coroutine.close()
                raise NotReady(
                    "the client is closed, or called from its own thread; open another with connect_sync()"
                )
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._calls.add(future)
        try:
            return future.result()
        except CancelledError:
            raise NotReady(
                "the client was closed during the call; open another with connect_sync()"
            ) from None
        finally:
            future.cancel()
            with self._lock:
                self._calls.discard(future)

    @property
    def lost_in_fork(self) -> bool:
        """Whether this is the copy in a forked child, where the thread does not exist."""
        return self._pid != os.getpid()

    def each(self, values: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yield the values of an asynchronous generator, waiting for each."""

        async def next_value() -> list[T]:
            async for value in values:
                return [value]
            return []

        try:
            while found := self.call(next_value()):
                yield from found
        finally:
            # A stopped loop has closed its open generators already.
            if not self._stopped and not self.lost_in_fork:
                self.call(values.aclose())

    def stop(self) -> None:
        """Cancel the calls that are running and end the thread; in a forked child there is none."""
        if self.lost_in_fork:
            return
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        with self._lock:
            # A call that the loop no longer ran would otherwise wait for ever.
            for future in self._calls:
                future.cancel()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()
