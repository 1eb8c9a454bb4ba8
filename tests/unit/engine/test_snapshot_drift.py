"""Changed code replays a compact history: its commands and their inputs are still compared."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import continuum
from continuum.engine.events import Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.outcome import Blocked, Completed, Continued
from continuum.engine.snapshot_history import CompactHistory, Form, compact
from continuum.journal.snapshot_codec import pack_snapshot, unpack_snapshot
from tests.unit.engine.activities import echo, stubborn, undo
from tests.unit.engine.driver import STARTED_AT, Driver, Program, comparable, new_execution, replay
from tests.unit.engine.families import counting, double, failing


def from_snapshot(events: Sequence[Event]) -> CompactHistory:
    found = unpack_snapshot(pack_snapshot(events), events[0].seq, len(events))
    assert found is not None
    return found


def resumed(program: Program, history: Sequence[Event], compacted: int) -> Execution:
    """Return an execution that has replayed a history whose first events come from a snapshot."""
    execution = new_execution()
    snapshot = from_snapshot(history[:compacted])
    execution.begin(
        program(), history[compacted:], started_at=STARTED_AT, now=history[-1].at, compact=snapshot
    )
    return execution


def lived(program: Program) -> list[Event]:
    driver = Driver(program)
    driver.run()
    return driver.history


def parent_of(value: int, *, failed: bool = False) -> Program:
    async def parent() -> object:
        return await (failing(str(value)) if failed else double(value))

    return parent


def test_a_child_in_a_snapshot_must_have_the_same_input() -> None:
    """RPL11, RPL15, B1"""
    history = lived(parent_of(3))
    assert resumed(parent_of(3), history, 2).outcome == Completed(6)
    other = resumed(parent_of(4), history, 2)
    assert other.log.snapshot_mismatch
    assert other.outgoing is None
    assert isinstance(replay(parent_of(4), history).outcome, Blocked)


def test_another_child_does_not_match_a_snapshot() -> None:
    history = lived(parent_of(3))
    assert resumed(parent_of(3, failed=True), history, 2).log.snapshot_mismatch


def test_a_continuation_in_a_snapshot_must_have_the_same_input() -> None:
    """RPL15, B1"""

    def count_from(total: int) -> Program:
        return lambda: counting.fn(1, total)

    driver = Driver(count_from(0), definition=counting)
    successor = driver.run()
    assert isinstance(successor, Continued)
    assert resumed(count_from(0), driver.history, 3).outcome == successor
    other = resumed(count_from(5), driver.history, 3).outcome
    assert isinstance(other, Blocked)
    assert "another input" in other.reason


def calls(*numbers: int, last: bool = False) -> Program:
    async def order_flow() -> object:
        results = [await echo(number) for number in numbers]
        if last:
            await undo(9)
        return results

    return order_flow


@pytest.mark.parametrize("compacted", [2, 4])
def test_a_mismatch_right_after_a_snapshot_is_drift(compacted: int) -> None:
    """RPL20"""
    history = lived(calls(1, 2, 3))
    shorter = calls(*range(1, compacted // 2 + 1), last=True)
    outcome = resumed(shorter, history, compacted).outcome
    assert isinstance(outcome, Blocked), comparable(outcome)
    assert (outcome.kind, outcome.position) == ("drift", compacted)


def patched_flow(*names: str, late: str | None = None) -> Program:
    async def order_flow() -> object:
        first = [*map(continuum.patched, names), await echo(1)]
        return [*first, late is not None and continuum.patched(late)]

    return order_flow


def test_a_patch_in_a_snapshot_is_taken() -> None:
    history = lived(patched_flow("new"))
    execution = resumed(patched_flow("new"), history, len(history))
    assert execution.outcome == Completed([True, 1, False])
    assert execution.log.take_events() == []


@pytest.mark.parametrize(
    "changed",
    [{"body": ("other", "order_flow", "f:1")}, {"body": ("new", "elsewhere", "f:1")}],
    ids=["name", "place"],
)
def test_a_marker_in_a_snapshot_does_not_count_for_another_patch(changed: dict[str, tuple[str, ...]]) -> None:
    """PAT4, PAT5, B8: a replay of the events then says what is wrong."""
    program = patched_flow("new")
    first, *rest = lived(program)
    name, author, where = changed["body"]
    author = first.body[1] if author == "order_flow" else author
    forged = [first._replace(body=(name, author, where)), *rest]
    execution = resumed(program, forged, len(forged))
    assert execution.log.snapshot_mismatch
    assert execution.log.take_events() == []
    assert isinstance(replay(program, forged).outcome, Blocked)


def test_a_patch_missed_in_a_snapshot_stays_missed() -> None:
    """PAT9, B7"""
    history = lived(patched_flow())
    execution = resumed(patched_flow("new", late="new"), history[:2], 2)
    assert execution.outcome == Completed([False, 1, False])
    assert execution.log.take_events() == []


async def undoes_in_parallel() -> object:
    for number in range(3):
        await echo.options(compensate=undo)(number)
    await continuum.compensate_all(mode="parallel")
    return await echo(9)


async def undoes_one() -> object:
    before = [continuum.side_effect(lambda: 1), continuum.patched("new")]
    await continuum.compensate(await echo.options(compensate=undo)(5))
    return [*before, continuum.side_effect(lambda: 2)]


async def waits_for_a_chain() -> object:
    return [continuum.side_effect(lambda: 1), await counting(1), continuum.side_effect(lambda: 2)]


@pytest.mark.parametrize("program", [undoes_in_parallel, undoes_one, waits_for_a_chain])
def test_children_and_compensations_replay_from_a_snapshot_of_any_length(program: Program) -> None:
    """SEC1, SEC2, C14: parallel compensations too."""
    driver = Driver(program)
    outcome = driver.run()
    assert isinstance(outcome, Completed)
    for compacted in range(1, len(driver.history) + 1):
        execution = resumed(program, driver.history, compacted)
        assert not execution.log.snapshot_mismatch
        assert execution.outcome == outcome


def test_a_call_and_all_its_attempts_are_one_step() -> None:
    """SNF5: scheduled, two retries and the result."""

    async def program() -> object:
        return await stubborn()

    driver = Driver(program)
    driver.run()
    scheduled, first, second, failed = driver.history
    assert [first.type, second.type] == [EventType.ACTIVITY_RETRIED] * 2
    completed = failed._replace(type=EventType.ACTIVITY_COMPLETED, body=(0, stubborn.encode_result(7)))
    history = [scheduled, first, second, completed]
    found = compact(history)
    assert [(kind.form, kind.width) for kind in found.kinds] == [(Form.COMPLETED_CALL, 4)]
    assert len(found.steps) == 1
    assert resumed(program, history, 4).outcome == Completed(7)
