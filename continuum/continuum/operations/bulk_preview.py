"""`preview`: what a change of many runs would be about, without changing anything."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.codec.codec import decode
from continuum.codec.signal_contracts import checker
from continuum.engine.ids import RunId
from continuum.errors import UndeclaredSignal
from continuum.journal.event_codec import unpack_body
from continuum.journal.facts import Query, RunRow
from continuum.journal.limits import MOST_COUNTED
from continuum.journal.operation_facts import CountedChange
from continuum.journal.untyped_values import at
from continuum.operations.bulk import BulkChange, OperatedJournal, conditions, count_text
from continuum.operations.bulk_cuts import expected
from continuum.operations.bulk_notes import hints, notes
from continuum.operations.bulk_records import OperationExample, OperationPreview, unchanged
from continuum.operations.cut_facts import tried_again
from continuum.operations.cut_words import standing_words


async def preview(journal: OperatedJournal, change: BulkChange) -> OperationPreview:
    """Return what a change would be about, without changing anything."""
    where = conditions(change.search, change.namespace, journal.now())
    asked = CountedChange(change.action.name, change.arguments)
    counted = await journal.count(Query(None, where, ("id", False), 1, None), MOST_COUNTED, asked)
    # All that were counted have started by then, which the time that a client knows may be earlier than.
    until = counted.at
    await _check_signal(journal, change, counted.first)
    rows = [row for run_id in counted.first if (row := await journal.get_run(run_id)) is not None]
    whys = {run: each.why for each in counted.skipped for run in each.runs}
    return OperationPreview(
        change.action.name,
        change.search,
        change.namespace,
        counted.number,
        not counted.more,
        count_text(counted),
        unchanged(counted.skipped),
        (*await notes(journal, change), *(() if counted.number or counted.more else hints(change.search))),
        [await _example(journal, change, row, until, whys.get(row.id)) for row in rows],
        at(until),
        change.digest(until),
    )


async def _example(
    journal: OperatedJournal, change: BulkChange, row: RunRow, until: int, why: str | None
) -> OperationExample:
    again: Sequence[str] = ()
    stands: Sequence[str] = ()
    if change.action.cuts is not None:
        drops = change.arguments["signals"] == "drop"
        event = change.arguments["at"]
        why, cut = await expected(journal, row.id, change.action.cuts, event, until, drops)
        if cut is not None:
            again, stands = tried_again(cut), tuple(standing_words(cut))
    state = row.state.name.lower()
    return OperationExample(row.id, row.workflow, state, at(row.started_at), why, again, stands)


async def _check_signal(journal: OperatedJournal, change: BulkChange, examples: Sequence[RunId]) -> None:
    """Refuse a signal that none of these runs declares, or a value that is none for one that does."""
    name = change.arguments.get("signal")
    if name is None or not examples:
        return
    contracts = [await journal.declared_signals(run_id) for run_id in examples]
    declared = [each for each in contracts if each is None or name in each]
    if not declared:
        raise UndeclaredSignal(examples[0], name, tuple(contracts[0] or ()))
    (value,) = unpack_body(change.payload or b"")
    for each in declared:
        if each is not None:
            checker(each[name])(decode(value), f"signal {name}")
