"""The timer wheel: when each run that is owned here is due next. It is a heap.

One entry per run, its earliest due time; the run knows which of its timers that is.
Deletion is lazy, and the heap is rebuilt when most of it is stale: a timeout of a day
that is cancelled after a second must not stay for a day. When very many are due at once, it
wakes them in parts, so that others get a turn in between.
"""

from __future__ import annotations

import heapq
from itertools import count

from continuum_actors.host.host import Host
from continuum_actors.host.limits import TIMERS_PER_TURN
from continuum_actors.host.messages import ReportState, TimerDue, ToTimerWheel
from continuum_supervision import Actor, ActorRef, Cancellable, ExitReason

_DUE = TimerDue()
_REPORT_STATE = ReportState()
# Rebuilding a small heap saves nothing.
SMALLEST_REBUILD = 1_000


class TimerWheel(Actor):
    """Wakes runs at their due time."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._due: dict[ActorRef, int] = {}
        self._heap: list[tuple[int, int, ActorRef]] = []
        self._order = count()
        self._alarm: Cancellable | None = None
        self._alarm_due = 0

    def init(self) -> None:
        self._host.wheel = self
        # What a predecessor knew: each run tells when it is due.
        for run in self._host.live_runs():
            run.cast(_REPORT_STATE)

    def handle_cast(self, message: ToTimerWheel) -> None:
        """Arm a run, later than `arm` would."""
        self.arm(*message)

    def arm(self, run: ActorRef, due: int | None) -> None:
        """Wake `run` at `due` (microseconds on the journal's clock), or never; replaces an earlier time."""
        if due is None:
            self._due.pop(run, None)
            return
        self._due[run] = due
        heapq.heappush(self._heap, (due, next(self._order), run))
        if self._alarm is None or due < self._alarm_due:
            self._set_alarm()
        if len(self._heap) > SMALLEST_REBUILD and len(self._heap) > 2 * len(self._due):
            self._heap = [(due, next(self._order), run) for run, due in self._due.items()]
            heapq.heapify(self._heap)

    def handle_info(self, message: object) -> None:
        """The alarm rang."""
        self._alarm = None
        now = self._host.journal.now()
        heap, room, measures = self._heap, TIMERS_PER_TURN, self._host.measures
        while room and heap and heap[0][0] <= now:
            due, _, run = heapq.heappop(heap)
            if self._due.get(run) == due:
                del self._due[run]
                run.cast(_DUE)
                measures.timer_fired((now - due) / 1e6)
                room -= 1
        self._set_alarm()

    def terminate(self, reason: ExitReason) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def _set_alarm(self) -> None:
        heap = self._heap
        while heap and self._due.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if heap:
            self._alarm_due = heap[0][0]
            delay = (self._alarm_due - self._host.journal.now()) / 1e6
            self._alarm = self.send_after(min(max(delay, 0.0), self._host.settings.longest_nap), _DUE)
