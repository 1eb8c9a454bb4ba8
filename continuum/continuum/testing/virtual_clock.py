"""A clock that stands still until a test moves it; callbacks run in the order in which they are due."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from continuum.engine.retry import seconds
from continuum.journal.untyped_values import at, microseconds_of
from continuum_supervision import Cancellable

# The default start of time: the same every day, so that histories are the same too.
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
MICROSECONDS = 1_000_000


class Alarm:
    """A callback that is due at a moment and can be cancelled."""

    __slots__ = ("args", "callback", "due", "number")

    def __init__(self, due: int, number: int, callback: Callable[..., object], args: tuple[object, ...]):
        self.due = due
        self.number = number
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def __lt__(self, other: Alarm) -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def cancel(self) -> None:
        """Cancel the callback; a second call has no effect."""
        self.callback = None
        self.args = ()


class VirtualClock:
    """The clock of an environment: the journal's (`microseconds`) and the actors' (a supervision `Clock`)."""

    def __init__(self, start: datetime = BEGINNING) -> None:
        self._start = self._now = microseconds_of(start)
        self._alarms: list[Alarm] = []
        self._made = 0

    def microseconds(self) -> int:
        """Return the time since the epoch."""
        return self._now

    def now(self) -> datetime:
        """Return the time as an aware datetime."""
        return at(self._now)

    def monotonic(self) -> float:
        """Return the seconds since the clock was made."""
        return (self._now - self._start) / MICROSECONDS

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> Cancellable:
        """Schedule a callback for when that many seconds have passed."""
        self._made += 1
        alarm = Alarm(self._now + round(max(0.0, delay) * MICROSECONDS), self._made, callback, args)
        heapq.heappush(self._alarms, alarm)
        return alarm

    def next_due(self) -> int | None:
        """Return when the earliest callback is due, None if there is none."""
        while self._alarms and self._alarms[0].callback is None:
            heapq.heappop(self._alarms)
        return self._alarms[0].due if self._alarms else None

    def move_to(self, moment: int) -> None:
        """Set the time to `moment` and run the callbacks that are due by then."""
        self._now = max(self._now, moment)
        while (due := self.next_due()) is not None and due <= self._now:
            alarm = heapq.heappop(self._alarms)
            callback, args = alarm.callback, alarm.args
            alarm.cancel()
            assert callback is not None, "next_due drops cancelled alarms"
            callback(*args)


def microseconds_in(duration: timedelta | float) -> int:
    """Return a duration, given in seconds or as a timedelta, in microseconds; it must not be negative."""
    if isinstance(duration, int | float) and duration < 0:
        duration = timedelta(seconds=duration)
    if isinstance(duration, timedelta) and duration < timedelta(0):
        raise ValueError(f"time does not go back by {-duration}; advance by zero or more")
    length = duration if isinstance(duration, timedelta) else timedelta(seconds=seconds(duration))
    return length // timedelta(microseconds=1)
