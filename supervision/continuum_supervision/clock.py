"""Time as a parameter: the protocol, the loop's own clock, and one that tests move by hand.

Everything in supervision that waits (a call, a stop, a restart window, `send_after`) takes its time from a
`Clock`, so that a test can let an hour pass at once.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Protocol

from .limits import SETTLE_PASSES


class Cancellable(Protocol):
    """Something scheduled that can be cancelled, any number of times."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """A monotonic time in seconds, and callbacks that are due at one."""

    def monotonic(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Cancellable: ...


class SystemClock:
    """The clock of the running loop."""

    __slots__ = ()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Cancellable:
        return asyncio.get_running_loop().call_later(delay, callback, *args)


SYSTEM_CLOCK = SystemClock()


class _Alarm:
    __slots__ = ("args", "callback", "due", "number")

    def __init__(self, due: float, number: int, callback: Callable[..., object], args: tuple[object, ...]):
        self.due = due
        self.number = number
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def __lt__(self, other: _Alarm) -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def cancel(self) -> None:
        self.callback = None
        self.args = ()


class ManualClock:
    """A clock that only `advance` moves."""

    def __init__(self) -> None:
        self._now = 0.0
        self._alarms: list[_Alarm] = []
        self._made = 0

    def monotonic(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Cancellable:
        self._made += 1
        alarm = _Alarm(self._now + max(0.0, delay), self._made, callback, args)
        heapq.heappush(self._alarms, alarm)
        return alarm

    def next_due(self) -> float | None:
        """The time of the earliest callback that was not cancelled."""
        while self._alarms and self._alarms[0].callback is None:
            heapq.heappop(self._alarms)
        return self._alarms[0].due if self._alarms else None

    async def advance(self, seconds: float) -> None:
        """Move time forward; run the callbacks that fall due in order, and let the loop settle after each."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back {-seconds} s: advance by zero or more")
        target = self._now + seconds
        await settle()
        while (due := self.next_due()) is not None and due <= target:
            self._now = due
            alarm = heapq.heappop(self._alarms)
            callback, args = alarm.callback, alarm.args
            alarm.cancel()
            if callback is not None:
                callback(*args)
            await settle()
        self._now = target


async def settle() -> None:
    """Let the loop run until none of its callbacks is ready."""
    # Private, and the same since Python 3.4. The alternative, a fixed number of
    # passes, breaks the first test whose chain of messages is longer than it.
    ready = getattr(asyncio.get_running_loop(), "_ready", ())
    idle = 0
    for _ in range(SETTLE_PASSES):
        await asyncio.sleep(0)
        idle = idle + 1 if not ready else 0
        # The second idle pass has polled sockets and pipes as well.
        if idle == 2:
            return
    raise RuntimeError(f"the loop is still busy after {SETTLE_PASSES} passes: something reschedules itself")
