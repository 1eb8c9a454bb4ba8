"""The runs without owner that have something to do, now or later, in the order in which claims take them.

Namespaces take turns, and within a namespace its groups: the runs of one workflow and version. The next
claim continues with the namespace whose turn it is. In each group the run that is due first comes first.

Entries may be outdated: a claim checks whether the run is still due at that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from continuum.engine.ids import RunId


class DueRun(NamedTuple):
    """A run and when it is due; `age` tells runs that are due at the same time apart."""

    due_at: int
    age: int
    run_id: RunId


class Group(NamedTuple):
    """What the runs of a group have in common; the version is None before the first claim."""

    namespace: str
    workflow: str
    version: str | None


class DueRuns:
    """Heaps of runs, one for each group."""

    def __init__(self) -> None:
        # In both dicts the one whose turn is next comes first.
        self._namespaces: dict[str, dict[Group, list[DueRun]]] = {}

    def __iter__(self) -> Iterator[DueRun]:
        for groups in self._namespaces.values():
            for heap in groups.values():
                yield from heap

    def add(self, group: Group, run: DueRun) -> None:
        """Add a run, with the time at which it is due."""
        groups = self._namespaces.setdefault(group.namespace, {})
        heappush(groups.setdefault(group, []), run)

    def take(self, now: int, wanted: Callable[[Group], bool]) -> Iterator[DueRun]:
        """Remove and yield runs that are due, those of wanted groups, in turns."""
        found = True
        while found:
            found = False
            for namespace in list(self._namespaces):
                run = self._take_one(self._namespaces[namespace], now, wanted)
                if run is None:
                    continue
                found = True
                groups = self._namespaces.pop(namespace)
                if groups:
                    self._namespaces[namespace] = groups
                yield run

    @staticmethod
    def _take_one(
        groups: dict[Group, list[DueRun]], now: int, wanted: Callable[[Group], bool]
    ) -> DueRun | None:
        for group, heap in groups.items():
            if heap[0].due_at <= now and wanted(group):
                del groups[group]
                run = heappop(heap)
                if heap:
                    groups[group] = heap
                return run
        return None
