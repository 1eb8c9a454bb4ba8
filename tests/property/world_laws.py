"""What must hold in a live world at every moment, and the outcome when everything has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from continuum.codec.codec import decode
from continuum.engine.children import ClosePolicy
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import RunRow, RunState
from tests.property.composed_works import TASKS, Node, child_works
from tests.property.ledger import ledger
from tests.property.live_world import World, firsts, latest_of, work_in
from tests.property.model import FAILED, Effect, truth_of
from tests.property.written_histories import SCHEDULED, WrittenHistories
from tests.unit.engine.driver import call_of

ENDED = {RunState.COMPLETED, RunState.FAILED}


async def check_now(world: World, *, exact: bool) -> None:
    """Check what must hold at every moment; `exact` when nothing is being written."""
    written = world.written
    known = {run_id: len(history) for run_id, history in written.of.items()}
    rows = await world.rows()
    stored = await world.stored.load([row.id for row in rows])
    assert not written.wrong, "\n".join(written.wrong)
    # A host that does not know yet that it lost its lease may begin what another has done.
    assert world.leases_lost or not ledger.again, (
        f"executed after their results were journaled: {ledger.again}"
    )
    for row in rows:
        history = written.of.get(row.id, [])
        assert _plain(stored[row.id][: len(history)]) == _plain(history[: len(stored[row.id])])
        assert len(stored[row.id]) >= known.get(row.id, 0), "a history only grows"
        assert not exact or len(stored[row.id]) == len(history)
        assert row.state is not RunState.BLOCKED, row.reason
    assert not ledger.early, f"executed before they were asked for: {ledger.early}"
    twice = {call: times for call, times in ledger.asked.items() if times > 1}
    assert not twice, f"asked for more than once: {twice}"
    if exact:
        unasked = set(ledger.executed) - set(ledger.asked)
        assert not unasked, f"executed, and never asked for: {unasked}"
        _check_families(rows, written.of)
        await _check_published(world, rows)


def _plain(history: Sequence[Event]) -> list[tuple[int, int, bytes]]:
    return [(event.seq, event.type, pack_body(event.body)) for event in history]


def _check_families(rows: Iterable[RunRow], histories: Mapping[RunId, list[Event]]) -> None:
    begun = [event for history in histories.values() for event in history]
    started = Counter(event.body[3] for event in begun if event.type == EventType.CHILD_STARTED)
    there = Counter(row.id for row in firsts(rows) if row.parent is not None)
    assert there == started, "a row for each child that was started, once"
    policies = {event.body[3]: event.body[5] for event in begun if event.type == EventType.CHILD_STARTED}
    for row in rows:
        if row.reason == "parent_cancelled":
            assert policies.get(row.root or row.id) != ClosePolicy.ABANDON, "an abandoned child lives on"


async def _check_published(world: World, rows: Iterable[RunRow]) -> None:
    for row in firsts(rows):
        shown = world.written.published.get(row.id, {})
        values = await world.stored.read_published(row.id, ["last", *shown])
        assert {name: value.value for name, value in values.items()} == shown


def check_end(rows: Sequence[RunRow], written: WrittenHistories, stopped: Mapping[RunId, bool]) -> None:
    """Compare the outcome of every run with the model.

    `stopped` maps the roots that were asked to stop to whether they were idle then: idle ones must stop.
    """
    sure: set[Effect] = set()
    possible: set[Effect] = set()
    for row in firsts(rows):
        latest = latest_of(row, rows)
        truth = truth_of(work_in(row))
        result = decode(latest.result) if latest.result is not None else None
        if latest.state is RunState.CANCELLED:
            assert row.parent is not None or row.id in stopped, "only what was asked to stop is cancelled"
        else:
            assert not stopped.get(row.id), "what was asked to stop at rest stops"
            assert result == truth.result if latest.state is RunState.COMPLETED else truth.result == FAILED
        if row.parent is None:
            truth = truth_of(work_in(row), stopped=row.id in stopped)
            sure |= truth.sure
            possible |= truth.possible
            last = written.published.get(row.id, {}).get("last")
            if row.id not in stopped:
                assert (last and decode(last)) == truth.last
    happened = _happened(rows, written)
    child_results = {effect for effect in sure if effect[0] == "answer"}
    assert not (missing := sorted(sure - child_results - happened)), f"has not happened: {missing}"
    assert not (strange := sorted(happened - possible)), f"should not have happened: {strange}"
    children = [row for row in firsts(rows) if row.parent is not None]
    completed = {
        ("answer", work_in(row).number)
        for row in children
        if latest_of(row, rows).state is RunState.COMPLETED
    }
    assert child_results <= completed
    unexecuted = sorted(ledger.answered - set(ledger.executed))
    assert not unexecuted, f"have results that nobody computed: {unexecuted}"


def check_undone(rows: Iterable[RunRow], histories: Mapping[RunId, list[Event]]) -> None:
    """Check that a run cancelled in the middle of a block compensated the calls of the block."""
    for row in rows:
        history = histories.get(row.id, [])
        asked = any(event.type == EventType.CANCEL_REQUESTED for event in history)
        if row.state is not RunState.CANCELLED or not asked:
            continue
        booked = {node.number for top in work_in(row).stages[0] for node in _in_sequence(top)}
        calls = {event.seq: call_of(event) for event in history if event.type in SCHEDULED}
        called = {calls[e.body[0]][1][0] for e in history if e.type == EventType.ACTIVITY_COMPLETED}
        left = {int(e.body[0][4:]) for e in history if e.body and str(e.body[0]).startswith("left")}
        undone = {args[0] for name, args in calls.values() if name == "composed.undo"}
        assert not (kept := booked & called - left - undone), f"cancelled, and not undone: {kept}"


def _in_sequence(node: Node) -> Iterator[Node]:
    """Yield the calls that can be compensated, except those of tasks, which end with their run."""
    if node.kind in TASKS or child_works(node, 0):
        return
    if node.kind == "booked":
        yield node
    for child in node.children:
        yield from _in_sequence(child)


def _happened(rows: Sequence[RunRow], written: WrittenHistories) -> set[Effect]:
    children = [("child", work_in(row).number) for row in firsts(rows) if row.parent is not None]
    assert len(children) == len(set(children)), "no child is started twice"
    published = [
        ("published", int(name[1:]), decode(value))
        for shown in written.published.values()
        for name, value in shown.items()
        if name.startswith("c")
    ]
    assert all(number == value for _, number, value in published)
    return {*children, *((kind, number) for kind, number, _ in published), *ledger.asked}
