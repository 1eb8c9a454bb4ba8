"""What a person should know before a change of many: which of the runs it does something else to."""

from __future__ import annotations

from continuum.journal.facts import Query, RunState
from continuum.journal.limits import MOST_COUNTED
from continuum.operations.bulk import BulkChange, OperatedJournal, conditions, count_text
from continuum.operations.findings import verb
from continuum.operations.search import search_of

_BLOCKED = (RunState.BLOCKED,)
_NOTES = {
    "cancel": (
        _BLOCKED,
        "blocked: such a run keeps the request until it is unblocked, and compensates then",
    ),
}


def hints(search: str) -> tuple[str, ...]:
    """Return, as sentences, what to look at in a search that has found nothing."""
    if any(term.field == "failure" and term.operator == "in" for term in search_of(search).terms):
        hint = "error: takes whole types, as `continuum runs show` prints them, like error:shop.CarrierDown; "
        return (f"{hint}error:*CarrierDown finds one of any module",)
    return ()


async def notes(journal: OperatedJournal, change: BulkChange) -> tuple[str, ...]:
    """Return, as sentences, which of the runs found are not changed as the action says."""
    if change.action.name not in _NOTES:
        return ()
    states, what = _NOTES[change.action.name]
    where = [*conditions(change.search, change.namespace, journal.now()), ("state", "in", states)]
    counted = await journal.count(Query(None, where, ("id", False), 1, None), MOST_COUNTED)
    if not counted.number:
        return ()
    are = verb(counted.number, "is", "are", more=counted.more)
    return (f"{count_text(counted)} of them {are} {what}",)
