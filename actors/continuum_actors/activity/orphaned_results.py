"""Answers of activities whose run had no actor to hear them.

A run that changes owner inside a living host (its lease was lost, an actor above it
crashed) leaves its activities running here. Their answers are kept for the actor
that takes the run up again, so that it neither counts a crash nor runs them twice;
results are posted to the inbox as well, for an owner elsewhere (invariant I7).
"""

from __future__ import annotations

from collections import OrderedDict

from continuum.engine.ids import RunId
from continuum_actors.host.messages import ActivityCompleted, ActivityRaised

# An answer nobody asks for belongs to a run that went elsewhere: the oldest may go.
KEPT_ANSWERS = 10_000

Answer = ActivityCompleted | ActivityRaised


class KeptAnswers:
    """The last word on each activity, until somebody asks for it."""

    __slots__ = ("_answers",)

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[RunId, int], tuple[int, Answer]] = OrderedDict()

    def keep(self, run_id: RunId, dispatch: int, answer: Answer) -> None:
        """Keep how the attempt with this dispatch number ended."""
        self._answers[run_id, answer.seq] = (dispatch, answer)
        if len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)

    def take(self, run_id: RunId, seq: int, dispatch: int) -> Answer | None:
        """Hand an answer out. A result is good for every dispatch, a failure only for its own."""
        kept = self._answers.pop((run_id, seq), None)
        if kept is None:
            return None
        answered, answer = kept
        return answer if answered == dispatch or isinstance(answer, ActivityCompleted) else None
