"""What a person should know before a change of many: which of the runs it does something else to."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.facts import Query, RunState
from continuum.journal.limits import MOST_COUNTED
from continuum.operations.bulk import BulkChange, OperatedJournal, conditions, count_text, left_out
from continuum.operations.findings import verb
from continuum.operations.search import search_of

_BLOCKED = (RunState.BLOCKED,)
_KEPT = (
    "blocked: such a run keeps the request until it is unblocked, and compensates then; "
    "one that has done nothing yet ends at once"
)
_NOTES = {"cancel": (_BLOCKED, _KEPT)}


def hints(search: str) -> tuple[str, ...]:
    """Return, as sentences, what to look at in a search that has found nothing."""
    if any(term.field == "failure" and term.operator == "in" for term in search_of(search).terms):
        hint = "error: takes whole types, as `continuum runs show` prints them, like error:shop.CarrierDown; "
        return (f"{hint}error:*CarrierDown finds one of any module",)
    return ()


async def notes(journal: OperatedJournal, change: BulkChange) -> tuple[str, ...]:
    """Return, as sentences, which of the runs found are not changed as the action says, or not at all."""
    return (*await _unlike(journal, change), *await _left_out(journal, change))


async def _left_out(journal: OperatedJournal, change: BulkChange) -> tuple[str, ...]:
    where = left_out(change.search, change.namespace, journal.now())
    if where is None:
        return ()
    counted = await journal.count(Query(None, where, ("id", False), 1, None), MOST_COUNTED)
    if not counted.number:
        return ()
    named = [f"{run_id} (its latest run is {await _latest(journal, run_id)})" for run_id in counted.first]
    more = ", …" if counted.more or counted.number > len(named) else ""
    if change.action.name == "delete":
        one = "is removed only with the latest run of its chain: it has"
        are = verb(
            counted.number,
            one,
            "are removed only with the latest run of their chain: each has",
            more=counted.more,
        )
    else:
        are = verb(counted.number, "is left out: it has", "are left out: each has", more=counted.more)
    runs = f"{', '.join(named)}{more}"
    return (f"{count_text(counted)} that the search finds too {are} been restarted or reset already: {runs}",)


async def _latest(journal: OperatedJournal, run_id: RunId) -> RunId | str:
    """Return the latest run of a chain; a run may have been removed meanwhile."""
    row = await journal.get_run(run_id)
    if row is None:
        return "removed"
    chain = [("root", "eq", row.root), ("continued_to", "eq", None)]
    rows = await journal.query(Query(None, chain, ("started_at", True), 1, None, payloads=False))
    return rows[0].id if rows else "removed"


async def _unlike(journal: OperatedJournal, change: BulkChange) -> tuple[str, ...]:
    if change.action.name not in _NOTES:
        return ()
    states, what = _NOTES[change.action.name]
    where = [*conditions(change.search, change.namespace, journal.now()), ("state", "in", states)]
    counted = await journal.count(Query(None, where, ("id", False), 1, None), MOST_COUNTED)
    if not counted.number:
        return ()
    are = verb(counted.number, "is", "are", more=counted.more)
    return (f"{count_text(counted)} of them {are} {what}",)
