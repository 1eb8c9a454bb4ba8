"""Values in the journal that the present code cannot read: the run waits for code that can."""

from __future__ import annotations

import pytest

import continuum
from continuum import InvalidDefinition, Signal, workflow
from continuum.codec.codec import encode
from continuum.engine.events import EventType
from continuum.engine.outcome import Blocked, Completed, Failed
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import Driver, Program

level = Signal("level", int)


async def reads_a_result() -> str:
    try:
        await echo(1)
    except Exception:  # noqa: BLE001
        return "went on"
    return "read"


async def reads_a_signal() -> str:
    try:
        await level.wait()
    except Exception:  # noqa: BLE001
        return "went on"
    return "read"


def blocked_by(program: Program, type: EventType, body: tuple[object, ...]) -> Blocked:
    driver = Driver(program)
    driver.apply(type, body)
    assert isinstance(driver.outcome, Blocked)
    return driver.outcome


def test_a_result_that_no_longer_matches_its_annotation_blocks_the_run() -> None:
    blocked = blocked_by(reads_a_result, EventType.ACTIVITY_COMPLETED, (0, encode("text")))
    assert (blocked.kind, blocked.position) == ("drift", 0)
    assert "event 0: result of engine.echo" in blocked.reason


def test_a_signal_that_no_longer_matches_its_type_blocks_the_run() -> None:
    """C21"""
    blocked = blocked_by(reads_a_signal, EventType.SIGNAL_RECEIVED, ("level", encode("high"), None))
    assert "signal level" in blocked.reason


def test_waiting_for_an_undeclared_signal_fails() -> None:
    """SIG3, at run time"""

    @workflow(name="unreadable.closed", signals=[level])
    async def closed(name: str) -> int:
        return await continuum.wait_signal(name)  # type: ignore[no-any-return]

    driver = Driver(lambda: closed.fn("levle"), definition=closed)
    assert isinstance(driver.outcome, Failed)
    assert isinstance(driver.outcome.error, InvalidDefinition)
    assert "levle" in str(driver.outcome.error)
    declared = Driver(lambda: closed.fn("level"), definition=closed, signals=[("level", 3)])
    assert declared.run() == Completed(3)


@pytest.mark.parametrize("name", ["anything", "level"])
def test_a_workflow_that_declares_no_signals_may_wait_for_any(name: str) -> None:
    """SIG4"""

    @workflow(name=f"unreadable.open_{name}")
    async def open_flow() -> int:
        return await continuum.wait_signal(name)  # type: ignore[no-any-return]

    driver = Driver(open_flow.fn, definition=open_flow, signals=[(name, 3)])
    assert driver.run() == Completed(3)
