"""Histories that were cut and continue in a new run: what was pending at the cut begins again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from continuum.engine.dry_replay import dry_pass
from continuum.engine.events import Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import RunId
from continuum.journal.snapshot_codec import Uncompactable, pack_snapshot, unpack_snapshot
from tests.unit.engine.activities import echo, fail, stubborn
from tests.unit.engine.driver import RUN_ID, SECOND, STARTED_AT, Driver, Program, comparable, new_execution

ORIGIN = RunId("01900000-0000-7000-8000-000000000002")


async def adds() -> int:
    """Add four numbers, one after the other."""
    total = 0
    for number in range(4):
        total += await echo(number)
    return total


async def retries() -> int:
    """Fail after three attempts."""
    return await stubborn()


def cut(history: Sequence[Event], at: int, *, now: int) -> list[Event]:
    """Return the events of a new run."""
    return [*history[:at], Event(at, EventType.RUN_FORKED, now, (ORIGIN, "reset"))]


def begun(program: Program, events: Sequence[Event]) -> Execution:
    execution = new_execution()
    execution.begin(program(), events, started_at=STARTED_AT, now=events[-1].at)
    return execution


def driven(program: Program) -> Driver:
    driver = Driver(program)
    driver.run()
    return driver


def test_a_pending_call_begins_again_with_its_first_attempt() -> None:
    driver = driven(retries)
    types = [event.type for event in driver.history]
    assert types[-1] == EventType.ACTIVITY_FAILED
    now = driver.now + SECOND

    execution = begun(retries, cut(driver.history, len(driver.history) - 1, now=now))

    (call,) = execution.pending.values()
    assert (call.attempt, call.crashes, call.retry_due, call.at) == (1, 0, now, now)
    assert (execution.next_due(), execution.take_due(now)) == (now, [0])
    assert driver.history[-1].body[4] == 3


def test_a_call_is_due_once_if_its_last_retry_was_at_the_moment_of_the_cut() -> None:
    driver = driven(retries)
    retried = [event for event in driver.history if event.type == EventType.ACTIVITY_RETRIED][-1]
    execution = begun(retries, cut(driver.history, len(driver.history) - 1, now=retried.body[4]))
    assert execution.take_due(retried.body[4]) == [0]


def test_attempts_after_the_cut_count() -> None:
    driver = driven(retries)
    at = len(driver.history) - 1
    events = cut(driver.history, at, now=driver.now)
    later = [
        Event(at + 1, EventType.ACTIVITY_RESTARTED, driver.now, (0,)),
        Event(at + 2, EventType.ACTIVITY_RETRIED, driver.now, (0, "Declined", "again", 1, driver.now + 5)),
    ]
    (call,) = begun(retries, [*events, *later]).pending.values()
    assert (call.attempt, call.retry_due) == (2, driver.now + 5)


@pytest.mark.parametrize("at", range(9))
def test_code_continues_from_any_cut(at: int) -> None:
    driver = driven(adds)
    again = Driver(adds, history=cut(driver.history, at, now=driver.now))
    # What was pending is started again at its time.
    while again.outcome is None:
        again.step()
    assert again.outcome == driver.outcome


def test_code_that_ends_where_the_history_is_cut_has_not_drifted() -> None:
    async def fails() -> None:
        await echo(1)
        raise ValueError("no")

    driver = driven(fails)
    events = cut(driver.history, len(driver.history), now=driver.now)
    assert comparable(begun(fails, events).outcome) == comparable(driver.outcome)


def test_other_code_is_found_by_a_replay_without_effects() -> None:
    async def other() -> None:
        await fail()

    driver = driven(adds)
    info = new_execution().info
    events = cut(driver.history, 2, now=driver.now)
    assert dry_pass(adds(), events, info, started_at=STARTED_AT, now=driver.now) is None
    found = dry_pass(other(), events, info, started_at=STARTED_AT, now=driver.now)
    assert found is not None
    assert found.position == 0
    nothing = cut(driver.history, 0, now=driver.now)
    assert dry_pass(other(), nothing, info, started_at=STARTED_AT, now=driver.now) is None


@pytest.mark.parametrize("at", [2, 4, 8])
def test_a_snapshot_leaves_the_cut_out(at: int) -> None:
    driver = driven(adds)
    events = cut(driver.history, at, now=driver.now)
    events += [event._replace(seq=event.seq + 1, body=_moved(event, at)) for event in driver.history[at:]]
    compact = unpack_snapshot(pack_snapshot(events), 0, len(events))
    assert compact is not None
    execution = new_execution(run_id=RUN_ID)
    execution.begin(adds(), (), started_at=STARTED_AT, now=driver.now, compact=compact)
    assert not execution.log.snapshot_mismatch
    assert (execution.outcome, execution.log.next_seq) == (driver.outcome, len(events))


def _moved(event: Event, at: int) -> tuple[Any, ...]:
    if event.type == EventType.ACTIVITY_COMPLETED and event.body[0] >= at:
        return event.body[0] + 1, *event.body[1:]
    return event.body


def test_no_snapshot_is_taken_while_a_call_is_pending_from_before_the_cut() -> None:
    driver = driven(retries)
    events = cut(driver.history, len(driver.history) - 1, now=driver.now)
    with pytest.raises(Uncompactable, match="pending from before"):
        pack_snapshot(events)
    answered = Event(len(events), EventType.ACTIVITY_COMPLETED, driver.now, (0, b""))
    assert len(pack_snapshot([*events, answered._replace(body=(0, driver.history[0].body[3]))])) > 0
