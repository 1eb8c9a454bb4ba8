"""Code that differs from its journal: the run is blocked with a reason, and code cannot swallow that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

import continuum
from continuum.engine.events import Event, EventType
from continuum.engine.loop.event_loop import WorkflowLoop
from continuum.engine.outcome import Blocked, Failed
from tests.unit.engine.activities import echo, fail, undo
from tests.unit.engine.driver import Driver, Program, assert_same_from_every_prefix, comparable, replay


def journal(program: Program, signals: Sequence[tuple[str, object]] = ()) -> list[Event]:
    driver = Driver(program, signals=signals)
    driver.run()
    return driver.history


def flow(*bodies: Program) -> Program:
    """Return a workflow that runs these one after the other, always under the same name."""

    async def order_flow() -> object:
        return [await body() for body in bodies]

    return order_flow


async def one() -> int:
    return await echo(1)


async def other() -> None:
    await undo(1)


async def sleeps() -> None:
    await asyncio.sleep(1)


async def nothing() -> None:
    return None


def blocked(program: Program, history: list[Event]) -> Blocked:
    outcome = replay(program, history).outcome
    assert isinstance(outcome, Blocked), comparable(outcome)
    return outcome


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ((one, one), (one, other), ["engine.echo from one", "engine.undo from other", "test_drift.py:"]),
        ((one, sleeps), (one, one), ["timer_started from sleeps", "activity_scheduled engine.echo from one"]),
        (
            (one, one),
            (sleeps, one, one),
            ["activity_scheduled engine.echo", "asks for timer_started from sleeps"],
        ),
        ((one, one), (one,), ["the code has ended", "activity_scheduled engine.echo from one"]),
        ((one,), (nothing,), ["the code has ended", "activity_scheduled engine.echo from one"]),
    ],
    ids=["another activity", "another kind", "one more", "one less", "none"],
)
def test_drift_names_both_sides(before: list[Program], after: list[Program], words: list[str]) -> None:
    """C3"""
    verdict = blocked(flow(*after), journal(flow(*before)))
    assert verdict.kind == "drift"
    assert all(word in verdict.reason for word in words), verdict.reason
    assert "continuum.patched()" in verdict.reason


def test_a_command_the_code_no_longer_issues_is_drift() -> None:
    async def waits() -> None:
        await continuum.wait_signal("go")

    verdict = blocked(flow(waits), journal(flow(one)))
    assert "the code asks for nothing" in verdict.reason


@pytest.mark.parametrize(
    ("type", "body"),
    [
        (EventType.ACTIVITY_COMPLETED, (77, b"")),
        (EventType.TIMER_FIRED, (0,)),
        (EventType.TIMER_FIRED, (77,)),
    ],
)
def test_a_result_that_no_code_waits_for_is_drift(type: EventType, body: tuple[object, ...]) -> None:
    """RPL17: a timer that the code did not start cannot complete its call."""
    history = journal(flow(one))
    stray = Event(1, type, history[0].at, body)
    verdict = blocked(flow(one), [history[0], stray])
    assert f"{type.name.lower()} of event {body[0]}, which the code does not wait for" in verdict.reason


def test_the_same_call_from_another_function_is_drift() -> None:
    async def renamed() -> int:
        return await echo(1)

    assert "from one" in blocked(flow(renamed), journal(flow(one))).reason


def test_a_value_read_by_another_function_is_drift() -> None:
    """RPL19: the identity of a command is its kind, its target and the function that issues it."""

    async def reads() -> object:
        return continuum.now().timestamp()

    async def reads_elsewhere() -> object:
        return continuum.now().timestamp()

    history = journal(flow(reads))
    kind, author, where, _ = history[0].body
    assert (kind, author) == ("now", reads.__qualname__)
    assert where.startswith("engine/test_drift.py:")
    assert "reads_elsewhere" in blocked(flow(reads_elsewhere), history).reason


def test_a_missing_event_is_a_corrupt_history() -> None:
    history = journal(flow(one, one))
    verdict = blocked(flow(one, one), [history[0], *history[2:]])
    assert verdict.kind == "corrupt"
    assert "event 1 is missing (found 2)" in verdict.reason


@pytest.mark.parametrize("body", [(), (0,)])
def test_an_event_cut_short_is_a_corrupt_history(body: tuple[object, ...]) -> None:
    """B4"""
    history = journal(flow(one, one))
    history[1] = history[1]._replace(body=body)
    assert blocked(flow(one, one), history).kind == "corrupt"


@pytest.mark.parametrize(
    "damaged",
    [
        (EventType.ACTIVITY_COMPLETED, ({}, b"")),
        (EventType.ACTIVITY_COMPLETED, (0, 5)),
        (EventType.ACTIVITY_RETRIED, (0, "E", "no", (), 5)),
        (EventType.TIMER_FIRED, ({},)),
        (EventType.SIGNAL_RECEIVED, ({}, b"", None)),
        (EventType.SIDE_EFFECT, ("now", "flow", "", b"")),
        (EventType.SIDE_EFFECT, ("user", "flow", "", None, "E")),
        (EventType.CANCEL_REQUESTED + 1000, ()),
    ],
)
def test_an_event_with_parts_of_other_types_is_a_corrupt_history(
    damaged: tuple[int, tuple[object, ...]],
) -> None:
    type, body = damaged
    assert blocked(flow(one, one), [Event(0, type, 0, body)]).kind == "corrupt"


def test_an_event_of_an_unknown_type_is_a_corrupt_history() -> None:
    history = journal(flow(one))
    history[1] = history[1]._replace(type=99)
    verdict = blocked(flow(one), history)
    assert verdict.kind == "corrupt"
    assert "of type 99" in verdict.reason


def test_the_arguments_of_a_journaled_call_come_from_the_journal() -> None:
    """C19: arguments may change in the code; the journaled call is what runs."""

    def asking(number: int) -> Program:
        async def order_flow() -> object:
            return await echo(number)

        return order_flow

    asked = Driver(asking(1)).history
    assert Driver(asking(2), history=asked).result() == 1


async def swallows() -> object:
    try:
        await undo(1)
    except BaseException:  # noqa: BLE001 - the subject of the test
        return "swallowed"
    return None


async def suppresses() -> object:
    with contextlib.suppress(BaseException):
        await undo(1)
    return await echo(1)


async def insists() -> object:
    while True:
        try:
            await undo(1)
        except BaseException:  # noqa: BLE001 - the subject of the test
            continue


async def insists_on_sleeping() -> object:
    while True:
        with contextlib.suppress(BaseException):
            await undo(1)
        with contextlib.suppress(BaseException):
            await asyncio.sleep(1)


@pytest.mark.parametrize("body", [swallows, suppresses])
def test_no_code_can_swallow_drift(body: Program) -> None:
    """C1, SLK1, SLK2, B9"""
    assert blocked(flow(body), journal(flow(one))).kind == "drift"


def test_a_handler_that_raises_again_does_not_change_the_outcome() -> None:
    """SLK3: neither while the run waits, nor when it is closed, nor in a replay."""

    async def program() -> object:
        try:
            return await continuum.wait_signal("go")
        except BaseException:
            await undo(1)
            raise

    driver = Driver(program)
    driver.close()
    assert driver.history == []
    driver = Driver(program, signals=[("go", 3)])
    assert driver.result() == 3
    assert_same_from_every_prefix(program, driver)


@pytest.mark.parametrize("body", [insists, insists_on_sleeping])
def test_code_that_repeats_a_refused_command_for_ever_yields_the_process(body: Program) -> None:
    assert blocked(flow(body), journal(flow(one))).kind == "drift"


def test_drift_in_one_task_stops_all_tasks() -> None:
    ran: list[int] = []

    async def program() -> object:
        async def drifts() -> None:
            await undo(1)

        async def counts() -> None:
            ran.append(len(ran))

        return await asyncio.gather(drifts(), counts(), return_exceptions=True)

    async def before() -> object:
        return await asyncio.gather(echo(1), return_exceptions=True)

    assert blocked(program, journal(before)).kind == "drift"
    assert ran == []


def test_drift_runs_no_compensation() -> None:
    """C1"""

    async def program() -> object:
        async with continuum.saga() as saga:
            saga.add(undo, 1)
            await other()
        return None

    execution = replay(program, journal(flow(one)))
    assert isinstance(execution.outcome, Blocked)
    assert execution.log.take_events() == []


def test_an_endless_loop_blocks_the_run_as_poison(monkeypatch: pytest.MonkeyPatch) -> None:
    async def program() -> None:
        while True:  # noqa: ASYNC110 - the subject of the test
            await asyncio.sleep(0)

    monkeypatch.setattr(WorkflowLoop, "callbacks_per_step", 500)
    outcome = Driver(program).outcome
    assert isinstance(outcome, Blocked)
    assert outcome.kind == "poison"
    assert "500 callbacks" in outcome.reason


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_exiting_the_process_ends_only_the_run(kind: type[BaseException]) -> None:
    async def program() -> object:
        await echo(1)
        raise kind("enough")

    driver = Driver(program)
    outcome = driver.run()
    assert isinstance(outcome, Failed)
    assert type(outcome.error) is kind


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_exiting_the_process_from_a_task_ends_only_the_run(kind: type[BaseException]) -> None:
    async def leaves() -> int:
        await echo(1)
        raise kind("enough")

    async def program() -> object:
        task = asyncio.create_task(leaves())
        await asyncio.sleep(5)
        return await task

    outcome = Driver(program).run()
    assert isinstance(outcome, Failed)
    assert type(outcome.error) is kind


def test_new_code_that_exits_the_process_early_is_drift() -> None:
    async def leaves() -> None:
        raise SystemExit(1)

    async def program() -> object:
        asyncio.create_task(leaves())  # noqa: RUF006
        return await one()

    assert "the code has ended" in blocked(program, journal(flow(one, one))).reason


def test_endless_recursion_fails_the_run() -> None:
    async def program() -> object:
        def dig(depth: int) -> object:
            continuum.now()
            return dig(depth + 1)

        return dig(0)

    outcome = Driver(program).outcome
    assert isinstance(outcome, Failed)
    assert "RecursionError" in repr(outcome.error)


def test_a_failed_activity_fails_the_run_with_its_facts() -> None:
    outcome = Driver(flow(fail)).run()
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, continuum.ActivityError)
    assert outcome.error.type == "tests.unit.engine.activities.Declined"
    assert outcome.error.message == "no"
