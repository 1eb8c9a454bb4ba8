"""Results of activities whose run had no live actor when they ended.

A run that changes owner inside a living host (its lease was lost, an actor above it
crashed) leaves its activities running here. Their results are kept for the run's next
actor, so that it neither counts a crash nor runs them twice. They are also posted to the
inbox, in case the next owner is elsewhere (I7).
"""

from __future__ import annotations

from collections import OrderedDict

from continuum.engine.ids import RunId
from continuum_actors.host.messages import ActivityCompleted, ActivityRaised

# A result that no actor takes belongs to a run that has left this process: the oldest may go.
ORPHANED_RESULTS = 10_000

Result = ActivityCompleted | ActivityRaised


class OrphanedResults:
    """The latest result of each activity, until a run takes it."""

    __slots__ = ("_results",)

    def __init__(self) -> None:
        self._results: OrderedDict[tuple[RunId, int], tuple[int, Result]] = OrderedDict()

    def keep(self, run_id: RunId, dispatch: int, result: Result) -> None:
        """Keep how the attempt with this dispatch number ended."""
        self._results[run_id, result.seq] = (dispatch, result)
        if len(self._results) > ORPHANED_RESULTS:
            self._results.popitem(last=False)

    def take(self, run_id: RunId, seq: int, dispatch: int) -> Result | None:
        """Remove and return a result. A value is good for every dispatch, a failure only for its own."""
        kept = self._results.pop((run_id, seq), None)
        if kept is None:
            return None
        ended, result = kept
        return result if ended == dispatch or isinstance(result, ActivityCompleted) else None
