"""Children: called, started, awaited, failed, cancelled; replay compares their workflow and input."""

from __future__ import annotations

import asyncio
import gc
import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest

import continuum
from continuum import ChildFailed, ChildrenTooDeep, InvalidOption, NotInWorkflow
from continuum.codec.codec import encode
from continuum.engine.children import MAX_CHILD_DEPTH, ClosePolicy
from continuum.engine.events import EventType
from continuum.engine.outcome import Blocked, Cancelled, Completed, Failed
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import (
    RUN_ID,
    Driver,
    Program,
    assert_same_from_every_prefix,
    replay,
    resume_exactly,
)
from tests.unit.engine.families import counting, double, failing, named_like_options, waiting


def types_of(driver: Driver) -> list[str]:
    return [EventType(event.type).name.lower() for event in driver.history]


async def calls_one() -> int:
    return await double(4)


def test_a_call_of_a_workflow_is_a_child_run_whose_result_it_returns() -> None:
    """CHD1, RPL8, CHD8"""
    driver = Driver(calls_one)
    assert driver.outcome is None
    assert driver.result() == 8
    assert types_of(driver) == ["child_started", "child_completed"]
    assert replay(calls_one, driver.history).outcome == Completed(8)
    assert_same_from_every_prefix(calls_one, driver)


def test_a_result_is_decoded_by_the_annotation_of_the_child() -> None:
    async def program() -> object:
        return await echo(await double(1))

    driver = Driver(program)
    child = driver.live_children[0]
    driver.apply(EventType.CHILD_COMPLETED, (child.seq, encode("text")))
    assert isinstance(driver.outcome, Blocked)
    assert "result" in driver.outcome.reason


def test_the_id_of_a_child_is_derived_from_its_parent_and_the_command() -> None:
    async def program() -> list[str]:
        handles = [await double.start_child(1), await double.start_child(1, id="second")]
        return [handle.id for handle in handles]

    driver = Driver(program)
    ids = driver.result()
    assert ids == [str(uuid.uuid5(uuid.UUID(RUN_ID), text)) for text in ("0:", "1:second")]
    assert replay(program, driver.history).outcome == Completed(ids)


def test_a_started_child_can_be_awaited_later() -> None:
    async def program() -> list[int]:
        handle = await double.start_child(1, id="one")
        between = await echo(7)
        return [between, await handle, await handle]

    driver = Driver(program)
    assert driver.result() == [7, 2, 2]
    assert_same_from_every_prefix(program, driver)


def test_children_end_in_any_order() -> None:
    async def program() -> list[int]:
        handles = [await double.start_child(value) for value in range(3)]
        return list(await asyncio.gather(*handles))

    driver = Driver(program)
    for child in reversed(driver.live_children):
        driver.run_child(child)
    assert driver.outcome == Completed([0, 2, 4])
    assert_same_from_every_prefix(program, driver)


def test_side_effects_around_a_child_that_continues_as_new_are_in_order() -> None:
    """SEC2"""

    async def program() -> list[float]:
        before = continuum.random()
        total = await counting(1)
        return [before, total, continuum.random()]

    driver = Driver(program)
    value = driver.result()
    assert types_of(driver) == ["side_effect", "child_started", "child_completed", "side_effect"]
    assert replay(program, driver.history).outcome == Completed(value)


def test_the_journal_records_a_child_once() -> None:
    async def program() -> int:
        return await double(1) + await double(2)

    driver = Driver(program)
    driver.run()
    assert [child.input for child in driver.children] == [
        double.arguments.encode_call((n,), {}) for n in (1, 2)
    ]
    assert driver.children[0].close_policy == ClosePolicy.CASCADE
    again = replay(program, driver.history[:1])
    assert again.outgoing is None


@pytest.mark.parametrize(
    ("policy", "stored"),
    [("cancel", ClosePolicy.CANCEL), ("abandon", ClosePolicy.ABANDON), (None, ClosePolicy.CASCADE)],
)
def test_the_close_policy_is_stored_with_the_child(policy: Any, stored: ClosePolicy) -> None:
    async def program() -> None:
        await double.start_child(1, parent_close_policy=policy)

    assert Driver(program).children[0].close_policy == stored


def drifted(first: Program, second: Program) -> Blocked:
    driver = Driver(first)
    outcome = replay(second, driver.history).outcome
    assert isinstance(outcome, Blocked)
    return outcome


def starting(start: Callable[[], Any]) -> Program:
    async def program() -> object:
        return await start()

    return program


def test_another_child_at_the_call_is_drift() -> None:
    """RPL9, B1"""
    blocked = drifted(starting(lambda: double(1)), starting(lambda: failing("x")))
    assert (blocked.position, blocked.kind) == (0, "drift")
    assert "families.double" in str(blocked.expected)
    assert "families.failing" in str(blocked.actual)


def test_another_input_of_a_child_is_drift() -> None:
    """RPL10, B1"""
    blocked = drifted(starting(lambda: double(1)), starting(lambda: double(2)))
    assert "another input" in blocked.reason
    assert blocked.position == 0


def test_a_child_that_fails_raises_its_failure() -> None:
    async def program() -> tuple[str, str, str, bool]:
        with pytest.raises(ChildFailed) as caught:
            await failing("out of paper")
        error = caught.value
        return error.run_id, error.type, error.message, error.cancelled

    driver = Driver(program)
    assert driver.result() == (driver.children[0].run_id, "ValueError", "out of paper", False)
    assert_same_from_every_prefix(program, driver)


def test_a_cancelled_child_raises_child_failed_with_cancelled_set() -> None:
    """B47: an attribute tells a failure from a cancellation, not the text."""

    async def program() -> bool:
        try:
            await waiting()
        except ChildFailed as error:
            return error.cancelled
        return False

    driver = Driver(program)
    driver.apply(EventType.CHILD_CANCELLED, (driver.live_children[0].seq,))
    assert driver.outcome == Completed(True)


def test_the_failure_of_an_unawaited_child_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    async def program() -> object:
        await failing.start_child("unheard")
        return await continuum.wait_signal("later")

    driver = Driver(program)
    with caplog.at_level(logging.WARNING):
        driver.run_child(driver.children.pop())
        gc.collect()
    assert caplog.records == []
    driver.signal("later", 1)
    assert driver.outcome == Completed(1)


def test_a_call_that_times_out_cancels_its_child() -> None:
    async def program() -> str:
        try:
            async with asyncio.timeout(5):
                await waiting()
        except TimeoutError:
            return "late"
        return "in time"

    driver = Driver(program)
    driver.advance(6)
    assert driver.outcome == Completed("late")
    assert driver.stopped == [driver.children[0].run_id]
    assert types_of(driver) == ["timer_started", "child_started", "timer_fired", "child_cancel_requested"]
    assert_same_from_every_prefix(program, driver)


def test_the_end_of_an_abandoned_child_is_dropped() -> None:
    async def program() -> int:
        try:
            async with asyncio.timeout(5):
                await waiting()
        except TimeoutError:
            pass
        return await continuum.wait_signal("never", default=1)  # type: ignore[no-any-return]

    driver = Driver(program)
    driver.advance(6)
    assert not driver.apply(EventType.CHILD_CANCELLED, (1,))


def test_a_timeout_while_awaiting_a_handle_leaves_the_child_alone() -> None:
    async def program() -> int:
        handle = await waiting.start_child()
        try:
            async with asyncio.timeout(5):
                return await handle
        except TimeoutError:
            return await handle

    driver = Driver(program)
    driver.advance(6)
    assert driver.stopped == []
    driver.apply(EventType.CHILD_COMPLETED, (0, waiting.encode_result(3)))
    assert driver.outcome == Completed(3)
    assert_same_from_every_prefix(program, driver)


def test_a_child_is_cancelled_once() -> None:
    async def program() -> bool:
        handle = await waiting.start_child()
        handle.cancel()
        handle.cancel()
        try:
            await handle
        except ChildFailed as error:
            handle.cancel()
            return error.cancelled
        return False

    driver = Driver(program)
    assert driver.stopped == [driver.children[0].run_id]
    assert driver.result() is True
    assert types_of(driver) == ["child_started", "child_cancel_requested", "child_cancelled"]
    assert_same_from_every_prefix(program, driver)


def test_a_cancelled_run_cancels_the_child_it_waits_for() -> None:
    """CHD7"""

    async def program() -> int:
        return await waiting()

    driver = Driver(program)
    driver.cancel()
    assert driver.outcome == Cancelled()
    assert driver.stopped == [driver.children[0].run_id]


def test_a_run_knows_whether_its_parent_cancelled_it() -> None:
    driver = Driver(waiting.fn)
    driver.cancel(by_parent=True)
    assert driver.outcome == Cancelled(by_parent=True)
    assert replay(waiting.fn, driver.history).outcome == Cancelled(by_parent=True)


def test_a_run_with_ten_ancestors_cannot_start_a_child() -> None:
    """CHD2, B51: refused in the parent, before anything is written."""

    async def program() -> str:
        try:
            await double(1)
        except ChildrenTooDeep as error:
            return f"{error.workflow} {error.limit} {str(error).rpartition(' ')[2]}"
        return "started"

    assert Driver(program, depth=MAX_CHILD_DEPTH - 1).result() == "started"
    deep = Driver(program, depth=MAX_CHILD_DEPTH)
    assert deep.outcome == Completed(f"families.double {MAX_CHILD_DEPTH} continue_as_new")
    assert deep.history == []


def test_wrong_arguments_and_options_are_refused_before_anything_is_written() -> None:
    """CMP35: they are the ones that type checkers refuse."""

    async def program() -> None:
        with pytest.raises(TypeError):
            await double()  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            await double(1, 2)  # type: ignore[call-arg]
        with pytest.raises(InvalidOption, match="parent_close_policy"):
            await double.start_child(1, parent_close_policy="terminate")  # type: ignore[call-overload]
        with pytest.raises(InvalidOption, match="id"):
            await double.start_child(1, id="")
        with pytest.raises(continuum.DurableTermError):
            await double(object())  # type: ignore[arg-type]

    driver = Driver(program)
    assert driver.outcome == Completed(None)
    assert driver.history == []


def test_options_of_a_child_and_arguments_of_the_same_name_do_not_meet() -> None:
    async def program() -> list[str]:
        configured = named_like_options.options(id="a", parent_close_policy="abandon")
        child = await configured.start_child(1, id="x", parent_close_policy="y")
        with pytest.raises(
            InvalidOption, match=r"id= is an option .*options\.options\(id=.*for the parameter"
        ):
            await named_like_options.start_child(1, id="x")
        return [child.id, await child]

    driver = Driver(program)
    assert driver.result() == [str(uuid.uuid5(uuid.UUID(RUN_ID), "0:a")), "1 x y"]
    assert [child.close_policy for child in driver.children] == [ClosePolicy.ABANDON]


def test_a_replay_takes_a_keyword_of_start_child_as_it_was_recorded() -> None:
    """Earlier code took an option, whatever the parameters were called."""

    def starting(flow: Any) -> Program:
        async def program() -> None:
            await flow.start_child(1, id="x")

        return program

    recorded = Driver(starting(double)).history
    later = continuum.workflow(name=double.name)(named_like_options.fn)
    assert replay(starting(later), recorded).outcome == Completed(None)
    assert isinstance(Driver(starting(later)).outcome, Failed)


def test_outside_a_workflow_a_workflow_is_started_through_a_client() -> None:
    for attempt in (lambda: double(1), lambda: double.start_child(1), lambda: double.continue_as_new(1)):
        with pytest.raises(NotInWorkflow):
            attempt()


def test_a_thousand_children_are_started_in_one_step_and_awaited_in_any_order() -> None:
    async def program() -> int:
        return sum(await asyncio.gather(*(double(value) for value in range(1000))))

    driver = Driver(program, seed=3)
    assert len(driver.children) == 1000
    for child in reversed(driver.live_children):
        driver.apply(EventType.CHILD_COMPLETED, (child.seq, double.encode_result(1)))
    assert driver.outcome == Completed(1000)
    assert resume_exactly(program, driver.history, 1500)[0] == Completed(1000)
