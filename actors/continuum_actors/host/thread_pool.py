"""The threads in which plain (`def`) activities run.

The standard library's pool cannot give up a thread: forty calls that hang would occupy it for good, and
an application could not exit before they end. Here a call can be given up, a new thread takes the place of
its thread, and no exit waits for either.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from types import FrameType

from continuum.definitions.call_outcome import CallOutcome
from continuum_actors.host import limits

log = logging.getLogger("continuum.threads")

_numbers = itertools.count(1)


class ThreadCall:
    """One call: it waits for a thread, then runs in one. `outcome` is set in the loop when it has ended."""

    __slots__ = ("_begun", "_function", "_loop", "given_up", "name", "outcome", "since", "thread")

    def __init__(
        self, name: str, function: Callable[[], CallOutcome], begun: Callable[[], object] | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._function = function
        self._begun = begun
        self.name = name
        self.outcome: asyncio.Future[CallOutcome] = self._loop.create_future()
        self.given_up = False
        # The thread that runs the call, and since when it does; before that, since when the call waits.
        self.thread: int | None = None
        self.since = time.monotonic()

    def run(self) -> None:
        """Make the call in this thread."""
        self.thread, self.since = threading.get_ident(), time.monotonic()
        try:
            if self._begun is not None:
                self._loop.call_soon_threadsafe(self._begun)
            outcome = self._function()
            self._loop.call_soon_threadsafe(self._ended, outcome)
        except RuntimeError:
            # The loop has been closed: nobody waits for the call any more.
            return

    def frame(self) -> FrameType | None:
        """Return where the call is now."""
        return None if self.thread is None else sys._current_frames().get(self.thread)

    def _ended(self, outcome: CallOutcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class ThreadPool:
    """Runs up to `size` calls at once, those that were given up not counted; more calls wait in order."""

    def __init__(self, size: int, report_after: float = limits.REPORT_WAIT_FOR_THREAD_SECONDS) -> None:
        self._size = size
        self._report_after = report_after
        self._changed = threading.Condition()
        self._waiting: deque[ThreadCall] = deque()
        self._running: set[ThreadCall] = set()
        # Threads that are started and not given up; some of them are idle.
        self._threads = 0
        self._idle = 0
        self._closing = False
        self._watching = False

    def submit(
        self, name: str, function: Callable[[], CallOutcome], begun: Callable[[], object] | None = None
    ) -> ThreadCall:
        """Have a thread make a call soon; `begun` is then called in the loop."""
        call = ThreadCall(name, function, begun)
        with self._changed:
            self._waiting.append(call)
            if len(self._waiting) <= self._idle:
                self._changed.notify()
            elif self._threads < self._size:
                self._start_thread()
            elif not self._watching:
                self._watching = True
                asyncio.get_running_loop().call_later(self._report_after, self._watch)
        return call

    def give_up(self, call: ThreadCall) -> None:
        """Wait for a call no longer: it does not begin, or its thread is replaced."""
        with self._changed:
            if call in self._running:
                call.given_up = True
                self._running.discard(call)
                self._threads -= 1
                if len(self._waiting) > self._idle:
                    self._start_thread()
            elif call in self._waiting:
                self._waiting.remove(call)
                call.outcome.cancel()

    def waiting(self) -> int:
        """Return how many calls wait for a thread."""
        with self._changed:
            return max(0, len(self._waiting) - self._idle)

    def busy(self) -> int:
        """Return how many calls are running, without those that were given up."""
        return len(self._running)

    def close(self) -> None:
        """Let every thread end when nothing waits for it. A call that comes later still gets a thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def cancel_waiting(self) -> None:
        """Cancel the calls that no thread has begun."""
        with self._changed:
            waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call.outcome.cancel()

    def _start_thread(self) -> None:
        # A daemon: the exit of an application does not wait for a call that hangs.
        threading.Thread(target=self._work, name=f"activity-{next(_numbers)}", daemon=True).start()
        self._threads += 1

    def _work(self) -> None:
        while (call := self._next()) is not None:
            call.run()
            with self._changed:
                if call.given_up:
                    return  # another thread has taken its place
                self._running.discard(call)
            # An idle thread keeps no arguments and no result alive.
            del call

    def _next(self) -> ThreadCall | None:
        with self._changed:
            while not self._waiting:
                if self._closing:
                    self._threads -= 1
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            call = self._waiting.popleft()
            self._running.add(call)
            return call

    def _watch(self) -> None:
        """Report once that calls have waited for long; again only after none has waited."""
        now = time.monotonic()
        with self._changed:
            self._watching = False
            if len(self._waiting) <= self._idle:
                return
            left = self._waiting[0].since + self._report_after - now
            waiting, running = len(self._waiting), list(self._running)
            self._watching = True
        loop = asyncio.get_running_loop()
        if left > 0:
            loop.call_later(left, self._watch)
            return
        names = Counter(call.name for call in running).most_common(limits.REPORTED_ACTIVITIES)
        log.warning(
            "%d activities are waiting for a thread, the first for %.0f s; all %d threads are taken by %s, "
            "the longest for %.0f s: give those a timeout=, or this node more activity threads",
            waiting,
            self._report_after - left,
            len(running),
            ", ".join(f"{name} ({count})" for name, count in names),
            max((now - call.since for call in running), default=0.0),
        )
        loop.call_later(self._report_after, self._unwatch)

    def _unwatch(self) -> None:
        with self._changed:
            self._watching = len(self._waiting) > self._idle
        if self._watching:
            asyncio.get_running_loop().call_later(self._report_after, self._unwatch)
