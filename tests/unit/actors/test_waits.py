"""What an owner knows its run to wait for."""

from __future__ import annotations

import asyncio
import json

import pytest

import continuum
from continuum import Signal
from continuum.journal.wait import MOST_WAITS, Wait, waits_as_json, waits_from_json
from continuum_actors.run.waits import waits_of
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import SECOND, STARTED_AT, Driver, Program

go = Signal("go", str)
stop = Signal("stop", str)


def waits(program: Program) -> tuple[Wait, ...]:
    """Return what a program waits for in its first step."""
    driver = Driver(program)
    try:
        return waits_of(driver.execution)
    finally:
        driver.close()


def line_of(program: Program, number: int) -> str:
    """Return file and line of a line of the program, counted from its `def`."""
    return f"actors/test_waits.py:{program.__code__.co_firstlineno + number}"


def test_a_signal_has_the_place_of_its_await() -> None:
    async def program() -> None:
        await continuum.sleep(0)
        await go.wait()

    assert waits(program) == (Wait("signal", -1, "go", STARTED_AT, None, line_of(program, 2)),)


def test_a_signal_with_a_timeout_has_the_time_of_its_timer_which_is_no_wait_of_its_own() -> None:
    async def program() -> None:
        await go.wait(timeout=60)

    due = STARTED_AT + 60 * SECOND
    assert waits(program) == (Wait("signal", -1, "go", STARTED_AT, due, line_of(program, 1)),)


def test_a_timer_beside_a_signal_stays_a_wait_of_its_own() -> None:
    async def program() -> None:
        async with asyncio.timeout(30):
            await go.wait()

    found = waits(program)
    assert [(wait.kind, wait.due) for wait in found] == [
        ("signal", None),
        ("timer", STARTED_AT + 30 * SECOND),
    ]


def test_a_timeout_of_zero_takes_no_other_timer_for_its_own() -> None:
    async def program() -> None:
        sleeping = asyncio.create_task(continuum.sleep(9))
        await asyncio.sleep(0)
        try:
            await go.wait(timeout=0)
        except TimeoutError:
            await stop.wait()
        await sleeping

    found = waits(program)
    assert [(wait.kind, wait.name, wait.due) for wait in found] == [
        ("signal", "stop", None),
        ("timer", "", STARTED_AT + 9 * SECOND),
    ]


def test_a_task_made_of_a_wait_has_no_place() -> None:
    async def program() -> None:
        await asyncio.gather(go.wait(), stop.wait())

    assert [(wait.name, wait.place) for wait in waits(program)] == [("go", None), ("stop", None)]


def test_a_signal_that_has_come_is_waited_for_no_more() -> None:
    async def program() -> None:
        await go.wait()
        await stop.wait()

    driver = Driver(program)
    driver.signal("go", "yes")
    assert [wait.name for wait in waits_of(driver.execution)] == ["stop"]
    driver.close()


def test_a_cancelled_wait_is_no_wait() -> None:
    async def program() -> None:
        waiting = asyncio.create_task(go.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await stop.wait()

    assert [wait.name for wait in waits(program)] == ["stop"]


def test_activities_are_waits_with_the_seq_of_their_command() -> None:
    async def program() -> None:
        await asyncio.gather(echo(1), echo(2), go.wait())

    found = waits(program)
    assert [(wait.kind, wait.seq, wait.name) for wait in found] == [
        ("signal", -1, "go"),
        ("activity", 0, echo.name),
        ("activity", 1, echo.name),
    ]


def test_a_run_with_many_waits_writes_few_and_its_signals_first() -> None:
    async def program() -> None:
        await asyncio.gather(*(echo(number) for number in range(100)), go.wait())

    found = waits(program)
    assert len(found) == MOST_WAITS
    assert found[0].kind == "signal"


def test_signals_that_came_stand_behind_those_that_the_code_waits_for_and_otherwise_last() -> None:
    async def program() -> None:
        await asyncio.gather(go.wait(), echo(1))
        await asyncio.Event().wait()

    driver = Driver(program)
    driver.signal("stop", "no")
    assert [wait.kind for wait in waits_of(driver.execution)] == ["signal", "unread", "activity"]
    driver.signal("go", "yes")
    assert [wait.kind for wait in waits_of(driver.execution)] == ["activity", "unread"]
    driver.settle()
    assert [wait.kind for wait in waits_of(driver.execution)] == ["unread"]
    driver.close()


def test_code_that_waits_for_itself_has_no_waits() -> None:
    async def program() -> None:
        await asyncio.Event().wait()

    assert waits(program) == ()


def test_waits_are_read_as_they_were_written() -> None:
    written = [Wait("signal", -1, "go", 1, None, "a.py:1"), Wait("timer", 4, "", 2, 3)]
    assert waits_from_json(json.loads(waits_as_json(written))) == tuple(written)


@pytest.mark.parametrize("stored", [None, 7, "text", {"kind": "signal"}])
def test_a_value_that_is_no_list_is_not_known(stored: object) -> None:
    assert waits_from_json(stored) is None


@pytest.mark.parametrize(
    "entry",
    [
        7,
        [],
        ["signal"],
        ["other", -1, "go", 1, None, None],
        ["signal", "x", "go", 1, None, None],
        ["signal", -1, None, 1, None, None],
        ["signal", -1, "go", 1.5, None, None],
        ["signal", -1, "go", 1, "later", None],
        ["signal", -1, "go", 1, None, 7],
        ["signal", -1, "go", 1, None, None, None],
    ],
)
def test_an_odd_entry_is_left_out(entry: object) -> None:
    good = ["timer", 1, "", 2, 3, None]
    assert waits_from_json([entry, good]) == (Wait("timer", 1, "", 2, 3),)


def test_a_signal_that_no_code_has_taken_is_named() -> None:
    async def program() -> None:
        await go.wait()

    driver = Driver(program, signals=[])
    driver.signal("stop", "no")
    driver.signal("stop", "again")
    assert [(wait.kind, wait.name) for wait in waits_of(driver.execution)] == [
        ("signal", "go"),
        ("unread", "stop"),
    ]
    driver.close()
