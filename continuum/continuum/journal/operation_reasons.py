"""Why an action on many runs leaves some as they are: the words of the journals, and lists of them.

The functions in `operation_reasons.sql` have the same words and the same limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

# An operation keeps at most so many different reasons. Those of cuts may differ from run to run.
MOST_REASONS = 20
# Each reason names at most so many of its runs.
RUNS_OF_A_REASON = 5
WHY_CHARACTERS = 500


class Why(StrEnum):
    """Why a run is left as it is."""

    REMOVED = "it has been removed"
    ENDED = "it has ended"
    ASKED = "it has been asked to stop"
    UNDECLARED = "its code does not declare the signal"
    PAUSED = "it is paused by itself"
    NOT_PAUSED = "it is not paused by itself"
    NOT_BLOCKED = "it is not blocked"
    NOT_FAILED = "it has not failed"
    OPEN = "it is open"
    READ = "its parent is open, and may read it"
    CHANGING = "it was being changed"
    OTHERS = "other reasons"


class Reason(NamedTuple):
    """Why runs are as they were: how many are ``skipped`` or ``failed`` for it, and the first of them.

    In a text of its own a run is called RUN, so that runs share it.
    """

    outcome: str
    why: str
    number: int
    runs: Sequence[str]


def with_reason(reasons: Sequence[Reason], outcome: str, why: str | None, run_id: str) -> list[Reason]:
    """Return reasons with one more run; None is a reason that is not known."""
    text = (why or Why.CHANGING).replace(run_id, "RUN")[:WHY_CHARACTERS]
    known = {(each.outcome, each.why): place for place, each in enumerate(reasons)}
    if (outcome, text) not in known and len(reasons) >= MOST_REASONS:
        text = Why.OTHERS
    place = known.get((outcome, text))
    if place is None:
        return [*reasons, Reason(outcome, text, 1, (run_id,))]
    found, added = reasons[place], list(reasons)
    runs = (*found.runs, run_id)[:RUNS_OF_A_REASON]
    added[place] = Reason(outcome, text, found.number + 1, runs)
    return added


def reasons_of(stored: Any) -> tuple[Reason, ...]:
    """Return the reasons in a column, without those of a form that this code does not know."""
    rows = stored if isinstance(stored, list) else []
    return tuple(
        Reason(str(row["outcome"]), str(row["why"]), int(row["count"]), tuple(map(str, row["runs"])))
        for row in rows
        if isinstance(row, dict) and row.keys() >= {"outcome", "why", "count", "runs"}
    )
