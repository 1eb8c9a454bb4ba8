"""The words for what a cut does: what stays done, which children start anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from continuum.operations.cut_facts import Cut, CutStanding

# So many calls, signals or children are named in a line.
NAMED = 10
TRIED_AGAIN = "a compensation that failed is tried again, and then the run ends as its code says"


def standing_words(cut: Cut) -> Iterator[str]:
    """Yield which activities were done and are done a second time."""
    for each in cut.stands[:NAMED]:
        yield _standing(each)
    if len(cut.stands) > NAMED:
        yield f"{len(cut.stands) - NAMED} more activities stay done and are done again"


def _standing(each: CutStanding) -> str:
    named = f"{each.name} (event {each.seq})"
    if each.undoing is None:
        return f"{named} stays done: it is not undone, and is done again"
    undoing = f"{each.undoing} (event {each.undoing_seq})"
    if each.among > 1:
        undoing += f", one of {each.among} compensations of which each may be for it,"
    return f"{named} may stay done, for {undoing} did not complete: it is done again"


def anew_words(cut: Cut) -> Iterator[str]:
    """Yield which children the code starts a second time."""
    for workflow, count in Counter(child.workflow for child in cut.left).items():
        yield f"children start anew: {count} of {workflow}, and all their activities run again"
