"""Values that do not match their annotation are refused before they are journaled."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

import continuum
from continuum import ActivityError, ChildFailed, DurableTermError, Retry, RunFailed, activity, workflow
from continuum.codec.codec import encode
from continuum.engine.events import EventType
from continuum.engine.outcome import Completed, Failed
from continuum.testing import env
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import Driver, Program, assert_same_from_every_prefix, replay
from tests.unit.engine.families import counting, double
from tests.unit.engine.test_snapshot_drift import resumed

WRONG = cast(Any, "four")


@activity(name="mismatches.count", retry=Retry(max_attempts=5))
def count(value: object) -> int:
    return cast(int, value)


@activity(name="mismatches.cancel")
def cancel_badly() -> None:
    return cast(None, 5)


@activity(name="mismatches.whatever")
def whatever() -> Any:
    return {"any": [1]}


@activity(name="mismatches.unannotated")
def unannotated():  # type: ignore[no-untyped-def]
    return {"any": [1]}


@activity(name="mismatches.unreadable")
def unreadable() -> complex:
    return cast(complex, 5)


async def handles() -> str:
    try:
        await count("five")
    except ActivityError as error:
        return f"{error.type} {error.message}"
    return "went on"


def test_a_result_that_does_not_match_its_annotation_fails_without_retry() -> None:
    driver = Driver(handles)
    refused = "continuum.DurableTermError result of mismatches.count: expected int, got str"
    assert driver.run() == Completed(refused)
    assert [event.type for event in driver.history] == [
        EventType.ACTIVITY_SCHEDULED,
        EventType.ACTIVITY_FAILED,
    ]
    assert_same_from_every_prefix(handles, driver)


def test_a_compensation_whose_result_does_not_match_its_annotation_has_failed() -> None:
    async def program() -> None:
        async with continuum.saga() as undo:
            undo.add(cancel_badly)
            raise ValueError("no seats")

    driver = Driver(program)
    assert isinstance(driver.run(), Failed)
    assert driver.history[-1].type == EventType.COMPENSATION_FAILED


@pytest.mark.parametrize("value", [5, True])
def test_a_result_that_type_checkers_accept_is_accepted(value: int) -> None:
    async def program() -> int:
        return await count(value)

    assert Driver(program).run() == Completed(value)


@pytest.mark.parametrize("call", [whatever, unannotated])
def test_an_activity_without_a_return_type_may_return_anything(call: Any) -> None:
    async def program() -> object:
        return await call()

    assert Driver(program).run() == Completed({"any": [1]})


def test_a_result_whose_annotation_cannot_be_read_fails_the_call() -> None:
    with pytest.raises(DurableTermError, match=r"result of mismatches\.unreadable"):
        unreadable.encode_result(5)


@pytest.mark.parametrize("journaled", [5, "text"])
def test_a_result_that_needs_no_check_is_not_decoded(journaled: object) -> None:
    checked = whatever if isinstance(journaled, str) else count
    checked.__dict__.pop("decode_result", None)
    checked.encode_result(journaled)
    assert "decode_result" not in checked.__dict__


async def calls_twice() -> object:
    """Handle a refusal, then repeat the command with a valid input: both have the same name."""
    with pytest.raises(DurableTermError, match=r"input\.value: expected int, got str"):
        await double(WRONG)
    return await double(4)


async def starts_twice() -> object:
    with pytest.raises(DurableTermError, match=r"input\.value: expected int, got str"):
        await double.start_child(WRONG)
    await echo(1)
    return await (await double.start_child(4))


@pytest.mark.parametrize("program", [calls_twice, starts_twice])
def test_a_child_whose_input_does_not_match_is_refused_and_nothing_is_written(program: Program) -> None:
    driver = Driver(program)
    assert driver.run() == Completed(8)
    assert [event.type for event in driver.history].count(EventType.CHILD_STARTED) == 1
    assert_same_from_every_prefix(program, driver)
    for compacted in range(1, len(driver.history) + 1):
        assert resumed(program, driver.history, compacted).outcome == Completed(8)


def test_a_continuation_whose_input_does_not_match_is_refused_and_the_run_continues() -> None:
    async def program() -> int:
        with pytest.raises(DurableTermError, match=r"input\.left: expected int, got str"):
            counting.continue_as_new(WRONG)
        with pytest.raises(DurableTermError, match=r"input\.left: expected int, got str"):
            continuum.continue_as_new(WRONG)
        return await echo(1)

    driver = Driver(program, definition=counting)
    assert driver.run() == Completed(1)
    assert EventType.RUN_CONTINUED_AS_NEW not in [event.type for event in driver.history]


def test_a_child_in_the_history_is_not_refused_by_a_later_annotation() -> None:
    async def program() -> int:
        return await double(WRONG)

    with pytest.MonkeyPatch.context() as before:
        before.setattr(double.arguments, "decode_call", lambda data: ((), {}))
        driver = Driver(program)
    driver.apply(EventType.CHILD_COMPLETED, (0, double.encode_result(8)))
    assert driver.outcome == Completed(8)
    assert replay(program, driver.history).outcome == Completed(8)
    assert resumed(program, driver.history, 2).outcome == Completed(8)


@workflow(name="mismatches.returns")
async def returns(value: object) -> int:
    return cast(int, value)


@workflow(name="mismatches.parent")
async def parent() -> str:
    try:
        await returns("five")
    except ChildFailed as error:
        return f"{error.type} {error.message}"
    return "went on"


def test_only_the_workflow_whose_result_does_not_match_its_annotation_fails() -> None:
    refused = "continuum.DurableTermError result: expected int, got str"

    async def main() -> None:
        async with env() as environment:
            with pytest.raises(RunFailed, match="result: expected int, got str"):
                await (await environment.start(returns, "five")).result()
            assert await (await environment.start(returns, 5)).result() == 5
            assert await (await environment.start(parent)).result() == refused

    asyncio.run(main())


def test_storing_an_unawaited_call_names_it() -> None:
    call = echo(5)
    try:
        with pytest.raises(DurableTermError, match="put `await` before it"):
            encode(call)
    finally:
        call.close()


def test_a_deferred_call_with_wrong_arguments_names_the_mismatch() -> None:
    with pytest.raises(TypeError, match=r"^count\(\) missing a required argument: 'value'$"):
        count.bind()  # type: ignore[call-arg]
