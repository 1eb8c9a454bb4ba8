"""A dry replay compares code with a history without any effect; a change of version is no command."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

import continuum
from continuum import Signal, workflow
from continuum.engine.dry_replay import dry_pass
from continuum.engine.events import COMMANDS, Event, EventType
from continuum.engine.outcome import Blocked, Completed
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import STARTED_AT, Driver, Program, replay
from tests.unit.engine.families import counting, double

note = Signal("note", str)


async def order_flow() -> int:
    first = await echo(1)
    return first + await echo(2)


def mismatch_of(program: Program, history: Sequence[Event], *, complete: bool = False) -> Blocked | None:
    now = history[-1].at if history else STARTED_AT
    return dry_pass(program(), history, None, started_at=STARTED_AT, now=now, complete=complete)


def suspended() -> list[Event]:
    """Return the history of a run whose first call has completed."""
    driver = Driver(order_flow)
    driver.step()
    return driver.history


def test_the_code_that_wrote_a_history_matches_it() -> None:
    driver = Driver(order_flow)
    driver.run()
    for end in range(len(driver.history) + 1):
        assert mismatch_of(order_flow, driver.history[:end]) is None
    assert mismatch_of(order_flow, driver.history, complete=True) is None


def test_code_that_does_something_else_does_not_match_and_both_sides_are_named() -> None:
    async def program() -> int:
        return await double(1)

    drift = mismatch_of(program, suspended())
    assert drift is not None
    assert drift.position == 0
    assert drift.expected == "activity_scheduled engine.echo from order_flow"
    assert drift.actual is not None
    assert drift.actual.startswith("child_started families.double from ")
    assert drift.where is not None
    assert drift.where.startswith("engine/test_dry_replay.py:")


def test_code_may_continue_differently_after_the_history() -> None:
    async def order_flow() -> int:
        await echo(1)
        return 5

    driver = Driver(globals()["order_flow"])
    author = driver.history[0].body[1]
    renamed = order_flow.__qualname__
    history = [e._replace(body=(e.body[0], renamed, *e.body[2:])) for e in driver.history]
    assert author == "order_flow"
    assert mismatch_of(order_flow, history) is None


def test_a_dry_replay_has_no_effect_beyond_the_history(caplog: pytest.LogCaptureFixture) -> None:
    reads: list[int] = []

    async def program() -> None:
        await note.wait(timeout=5)

    def effects() -> Sequence[Program]:
        async def reading() -> object:
            continuum.log.warning("going on")
            return continuum.side_effect(lambda: reads.append(1))

        async def random_values() -> object:
            return continuum.uuid4()

        async def patching() -> object:
            return continuum.patched("new")

        async def publishing() -> object:
            continuum.publish("state", 1)
            return None

        async def starting_child() -> object:
            return await double(1)

        async def ending() -> object:
            counting.continue_as_new(1)

        return [program, reading, random_values, patching, publishing, starting_child, ending]

    with caplog.at_level(logging.DEBUG):
        for each in effects():
            assert mismatch_of(each, []) is None
    assert reads == []
    assert caplog.records == []


def test_code_that_continues_after_the_end_of_a_run_does_not_match() -> None:
    async def longer() -> int:
        await order_flow()
        return await echo(3)

    async def waiting() -> str:
        await order_flow()
        return await note.wait()

    driver = Driver(order_flow)
    driver.run()
    for program, words in ((longer, "engine.echo"), (waiting, "waits")):
        drift = mismatch_of(program, driver.history, complete=True)
        assert drift is not None
        assert words in drift.reason
        assert drift.position == len(driver.history)


def changed(history: Sequence[Event], at: int) -> list[Event]:
    """Insert a change of version before the event `at`."""
    mark = Event(at, EventType.VERSION_CHANGED, history[at - 1].at, ("old", "new"))

    def later(event: Event) -> Event:
        if event.type in COMMANDS or event.type == EventType.SIGNAL_RECEIVED:
            return event._replace(seq=event.seq + 1)
        scheduled_seq = event.body[0] + (event.body[0] >= at)
        return event._replace(seq=event.seq + 1, body=(scheduled_seq, *event.body[1:]))

    return [*history[:at], mark, *map(later, history[at:])]


def test_code_ignores_a_change_of_version_at_any_position() -> None:
    driver = Driver(order_flow)
    driver.run()
    for at in range(1, len(driver.history) + 1):
        execution = replay(order_flow, changed(driver.history, at))
        assert execution.outcome == Completed(3), at
        assert execution.log.next_seq == len(driver.history) + 1


def test_a_patch_first_reached_after_a_change_of_version_is_taken_again_in_replay() -> None:
    """PAT6, PAT7: the code that first reached the patch decides."""

    @workflow(name="dry_pass.patched")
    async def patched_flow() -> list[bool]:
        await note.wait()
        return [continuum.patched("new"), continuum.patched("new")]

    received = Event(0, EventType.SIGNAL_RECEIVED, STARTED_AT, ("note", continuum_value("go"), None))
    mark = Event(1, EventType.VERSION_CHANGED, STARTED_AT, ("old", "new"))
    first = replay(patched_flow.fn, [received, mark])
    assert first.outcome == Completed([True, True])
    history = [received, mark, *first.log.take_events()]
    assert [event.seq for event in history] == [0, 1, 2]
    assert replay(patched_flow.fn, history).outcome == Completed([True, True])


def continuum_value(value: object) -> bytes:
    return note.encode(str(value))
