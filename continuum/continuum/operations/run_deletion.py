"""`deletable`: whether a run may be removed, and if not, what to do first."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.errors import RunNotDeletable
from continuum.journal.facts import Query, RunRow
from continuum.journal.port import Runs


async def latest_deletable(journal: Runs, row: RunRow) -> RunId:
    """Return the latest run of the chain of a run, by which it is removed.

    `RunNotDeletable` if that run is open, or is a child whose parent is open and may read it.
    """
    if row.continued_to is not None:
        chain = [("root", "eq", row.root), ("continued_to", "eq", None)]
        rows = await journal.query(Query(None, chain, ("started_at", True), 1, None, payloads=False))
        row = rows[0] if rows else row
    if not row.state.terminal:
        state = row.state.name.lower()
        raise RunNotDeletable(
            row.id, f"it is {state}; end it first with `continuum cancel {row.id}`, or wait for its end"
        )
    parent = None if row.parent is None else await journal.get_run(row.parent)
    if parent is not None and not parent.state.terminal:
        raise RunNotDeletable(
            row.id, f"its parent {parent.id} is {parent.state.name.lower()} and may read it; end that first"
        )
    return row.id
