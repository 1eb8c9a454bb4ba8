"""The due times of a run's timers, retries and deadlines: a heap whose entries may be stale."""

from __future__ import annotations

import heapq
from collections.abc import Collection

from continuum.engine.pending import PendingActivity

# A cancelled timer leaves its entry behind until it is due. More stale entries than this are
# removed, so that the heap does not grow in a loop of long timeouts.
STALE_ENTRIES = 64


class DueTimes:
    """Each entry is the seq of a timer, or of an activity that has a deadline or waits for its backoff."""

    __slots__ = ("_heap", "_pending", "_timers")

    def __init__(self, timers: Collection[int], pending: dict[int, PendingActivity]) -> None:
        self._timers = timers
        self._pending = pending
        self._heap: list[tuple[int, int]] = []

    def add(self, due: int, seq: int) -> None:
        """Record when the timer or activity `seq` is due."""
        if len(self._heap) > STALE_ENTRIES + 2 * (len(self._timers) + len(self._pending)):
            self._heap = [entry for entry in self._heap if self._wanted(*entry)]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (due, seq))

    def next(self) -> int | None:
        """Return the earliest due time, in microseconds, or None."""
        heap = self._heap
        while heap:
            due, seq = heap[0]
            if self._wanted(due, seq):
                return due
            heapq.heappop(heap)
        return None

    def take(self, now: int) -> list[int]:
        """Return the seqs that are due at `now`, earliest first."""
        seqs: list[int] = []
        while (due := self.next()) is not None and due <= now:
            seq = heapq.heappop(self._heap)[1]
            # A call that begins again where a history was cut may be due at the moment of its last retry.
            if not seqs or seqs[-1] != seq:
                seqs.append(seq)
        return seqs

    def _wanted(self, due: int, seq: int) -> bool:
        if seq in self._timers:
            return True
        activity = self._pending.get(seq)
        return activity is not None and due in (activity.retry_due, activity.deadline)
