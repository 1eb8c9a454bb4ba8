"""`LookTimes`: when to look for each of many runs next, the earliest first."""

from __future__ import annotations

import heapq

from continuum.engine.ids import RunId

# Entries that a later call has replaced stay in the heap until their time, or until there are this many.
MOST_REPLACED = 1_000


class LookTimes:
    """Times of runs in the loop's time. A run has one: the last one that was set."""

    def __init__(self) -> None:
        self._at: dict[RunId, float] = {}
        self._heap: list[tuple[float, RunId]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, run_id: RunId, at: float) -> None:
        """Look for a run at this time and no other."""
        self._at[run_id] = at
        heapq.heappush(self._heap, (at, run_id))
        if len(self._heap) > 2 * len(self._at) + MOST_REPLACED:
            self._heap = [(at, run_id) for run_id, at in self._at.items()]
            heapq.heapify(self._heap)

    def advance(self, run_id: RunId, at: float) -> None:
        """Look for a run at this time, or earlier if that was set."""
        known = self._at.get(run_id)
        if known is None or at < known:
            self.set(run_id, at)

    def forget(self, run_id: RunId) -> None:
        """Look for a run no more."""
        self._at.pop(run_id, None)

    def clear(self) -> None:
        """Forget every run."""
        self._at.clear()
        self._heap.clear()

    def earliest(self) -> float | None:
        """Return the earliest time; None without any."""
        while self._heap:
            at, run_id = self._heap[0]
            if self._at.get(run_id) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def take(self, now: float, most: int) -> list[RunId]:
        """Forget and return the runs whose time has come, the earliest first, at most this many."""
        due: list[RunId] = []
        while len(due) < most and (at := self.earliest()) is not None and at <= now:
            _, run_id = heapq.heappop(self._heap)
            del self._at[run_id]
            due.append(run_id)
        return due
