"""A check that a later release has made stricter refuses neither what a history holds nor a compensation."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterator
from typing import Any, cast

import pytest

import continuum
from continuum import DurableTermError, activity, workflow
from continuum.codec.arguments import ArgumentsCodec
from continuum.engine.events import EventType
from continuum.engine.outcome import Blocked, Completed, Failed
from tests.unit.engine.activities import echo, fail
from tests.unit.engine.driver import Driver, Program, assert_same_from_every_prefix, comparable, replay
from tests.unit.engine.test_snapshot_drift import resumed


class Color(enum.StrEnum):
    RED = "red"


RED = cast(str, Color.RED)


@activity(name="later.paint")
def paint(color: str) -> str:
    return color


@activity(name="later.scrape")
def scrape(color: str) -> None:
    """Undo `paint`."""


@workflow(name="later.room")
async def room(color: str) -> str:
    return color


async def calls() -> object:
    return await paint(RED)


async def names_the_argument() -> object:
    return await paint(color=RED)


async def calls_two_at_once() -> object:
    first, second = paint(RED), paint("blue")
    return [await asyncio.gather(first, second), await echo(1)]


async def starts_a_child() -> object:
    return await (await room.start_child(RED))


async def continues() -> object:
    room.continue_as_new(RED)


def encoded_earlier(
    codec: ArgumentsCodec, args: tuple[Any, ...], kwargs: dict[str, Any], *, incomplete: bool = False
) -> bytes:
    return accepted(codec, args, kwargs, incomplete=True)


accepted = ArgumentsCodec.encode_call


@pytest.fixture
def earlier(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An earlier release, which refused none of these; undone by the test."""
    with monkeypatch.context() as release:
        release.setattr(ArgumentsCodec, "encode_call", encoded_earlier)
        yield release


@pytest.mark.parametrize("program", [calls, names_the_argument, calls_two_at_once, starts_a_child, continues])
def test_a_history_of_a_release_that_took_a_value_replays(
    program: Program, earlier: pytest.MonkeyPatch
) -> None:
    driver = Driver(program)
    driver.run()
    earlier.undo()
    for cut in range(1, len(driver.history) + 1):
        assert not isinstance(replay(program, driver.history[:cut]).log.verdict, Blocked), cut
    assert comparable(replay(program, driver.history).outcome) == comparable(driver.outcome)
    for compacted in range(1, len(driver.history) + 1):
        assert comparable(resumed(program, driver.history, compacted).outcome) == comparable(driver.outcome)


@pytest.mark.parametrize("program", [calls, names_the_argument, starts_a_child, continues])
def test_a_new_call_is_refused(program: Program) -> None:
    driver = Driver(program)
    outcome = driver.run()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, DurableTermError)
    assert driver.history == []


async def calls_again() -> object:
    await echo(0)
    with pytest.raises(DurableTermError, match="a Color would come back as str"):
        await paint(RED)
    return await paint("blue")


def test_code_that_was_refused_a_call_is_refused_again() -> None:
    driver = Driver(calls_again)
    assert driver.run() == Completed("blue")
    assert_same_from_every_prefix(calls_again, driver)


async def paints_in_vain() -> object:
    async with continuum.saga() as saga:
        saga.add(scrape, RED)
        await fail("stop")
    return None


def test_a_compensation_is_not_refused() -> None:
    driver = Driver(paints_in_vain)
    outcome = driver.run()
    assert isinstance(outcome, Failed)
    assert not getattr(outcome.error, "__notes__", ())
    undone = [event for event in driver.history if event.type == EventType.COMPENSATION_SCHEDULED]
    assert [scrape.arguments.decode_call(event.body[3])[0] for event in undone] == [("red",)]
    assert_same_from_every_prefix(paints_in_vain, driver)
