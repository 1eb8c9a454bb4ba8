"""Activities in an environment have the same errors, events and contexts as on a node."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

import continuum
from continuum import ActivityError, NotInWorkflow, Workflow, activity, activity_context, workflow
from continuum.testing import History, assert_replays, env

# The most that a node stores of one error.
ERROR_BYTES = 64 * 1024


class Thrown(BaseException):
    """An error that is not an `Exception`."""


@activity(name="testing_broken")
async def broken(how: str) -> object:
    """Fail in the given way."""
    match how:
        case "raise":
            raise ValueError("no such order")
        case "throw":
            raise Thrown("past every handler")
        case "oversize":
            raise ValueError("\udc80" * 1_000_000)
        case _:
            return {"event": asyncio.Event()}


@workflow(name="testing_handling")
async def handling(how: str) -> list[str]:
    """Return how an activity failed."""
    try:
        await broken(how)
    except ActivityError as error:
        return [error.type.rpartition(".")[2], error.message, error.traceback]
    return []


@activity(name="testing_reserve")
async def reserve(seat: str) -> str:
    """Reserve a seat."""
    return seat


@activity(name="testing_free")
def free(seat: str) -> None:
    """Release a seat."""


@workflow(name="testing_trip")
async def trip() -> str:
    """Reserve a seat, fail to pay, and release the seat."""
    await reserve.options(compensate=free)("12a")
    try:
        await broken("raise")
    except ActivityError as error:
        await continuum.compensate_all()
        return error.message
    return "paid"


@activity(name="testing_knowing")
async def knowing() -> list[object]:
    """Return the context of an activity, and try calls that only workflows may make."""
    context = activity_context()
    context.heartbeat("half")
    with pytest.raises(NotInWorkflow):
        continuum.now()
    with pytest.raises(NotInWorkflow):
        continuum.side_effect(lambda: 1)
    return [context.run_id, context.attempt, context.cancelled, continuum.in_workflow()]


@workflow(name="testing_asking")
async def asking() -> list[object]:
    """Call an activity."""
    return await knowing()


def run_once(flow: Workflow[..., Any], *args: object) -> tuple[Any, History, str]:
    """Run a workflow in an environment; return its result, its history and its id."""

    async def main() -> tuple[Any, History, str]:
        async with env() as environment:
            run = await environment.start(flow, *args)
            return await run.result(), await environment.history(run.id), run.id

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("how", "type", "message"),
    [
        ("raise", "ValueError", "no such order"),
        ("throw", "Thrown", "past every handler"),
        ("oversize", "ValueError", "\\udc80\\udc80"),
        ("unstorable", "DurableTermError", "result of testing_broken.event: "),
    ],
)
def test_workflow_code_can_handle_any_failure_of_an_activity(how: str, type: str, message: str) -> None:
    """MAE1, MAE2, MAE3, MAE4, B22: journaled as a failure, bounded, and the same in a replay."""
    failure, history, _ = run_once(handling, how)
    assert failure[0] == type
    assert failure[1].startswith(message)
    assert sum(len(text.encode()) for text in failure) < ERROR_BYTES
    assert [event.type for event in history] == ["activity_scheduled", "activity_failed"]
    assert history[1].payload["message"] == failure[1]
    assert assert_replays(handling, history) == failure


def test_a_failure_is_compensated_as_on_a_node() -> None:
    """MAE5"""
    result, history, _ = run_once(trip)
    assert result == "no such order"
    assert [event.type for event in history if not event.type.endswith("scheduled")] == [
        "activity_completed",
        "activity_failed",
        "compensation_completed",
    ]


def test_an_activity_has_its_context_and_no_workflow_calls() -> None:
    """C5, ACT23, B10: a call that fails on a node fails here too."""
    result, _, run_id = run_once(asking)
    assert result == [run_id, 1, False, False]


@pytest.mark.parametrize("read_before", [False, True])
def test_the_result_of_a_mock_must_match_the_activity(read_before: bool) -> None:
    @activity(name=f"testing_promised_{read_before}")
    async def promised() -> str:
        return "as promised"

    @workflow(name=f"testing_relying_{read_before}")
    async def relying() -> str:
        try:
            return await promised()
        except ActivityError as error:
            return error.message

    if read_before:
        promised.encode_result("known")

    async def main() -> str:
        async with env() as environment:
            with environment.mock_activity(promised, lambda: cast(Any, 5)):
                run = await environment.start(relying)
                return await run.result()

    assert asyncio.run(main()) == f"result of {promised.name}: expected str, got int"
