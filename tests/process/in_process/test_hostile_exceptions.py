"""Whatever an activity or a workflow raises or returns, its run ends with a failure that says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

import continuum
from continuum import ActivityError, Client, Retry, RunFailed, Workflow, activity, saga, side_effect, workflow
from continuum.failures.exception_text import exception_name
from continuum_supervision import Supervisor
from tests.hostile_exceptions import KINDS, NoWords, make
from tests.process.in_process.hosts import DEADLINE_S

attempts: list[str] = []


@dataclass
class Unreadable:
    """A record whose field raises an exception without words."""

    number: int

    def __getattribute__(self, name: str) -> object:
        if name == "number":
            raise NoWords
        return super().__getattribute__(name)


@activity(name="hostile.in_loop")
async def in_loop(kind: str) -> None:
    """Raise."""
    raise make(kind)


@activity(name="hostile.in_thread")
def in_thread(kind: str) -> None:
    """Raise in a thread."""
    raise make(kind)


@activity(name="hostile.timed", timeout=20)
def timed(kind: str) -> None:
    """Raise in a thread, with a timeout."""
    raise make(kind)


@activity(name="hostile.queued", queue="apart", timeout=20)
def queued(kind: str) -> None:
    """Raise in a thread, as a task."""
    raise make(kind)


ACTIVITIES = {"loop": in_loop, "thread": in_thread, "timed": timed, "queued": queued}


@activity(name="hostile.dry", retry=Retry(max_attempts=3, base=0.0, max_backoff=0.0))
def dry(final: bool) -> int:
    """Find nothing."""
    attempts.append("dry")
    return next(number for number in [1, 2] if number == 9)


@activity(name="hostile.returns", retry=Retry(max_attempts=3, base=0.0, max_backoff=0.0))
def returns() -> Unreadable:
    """Return a result that cannot be written."""
    attempts.append("returns")
    return Unreadable(1)


@workflow(name="hostile.calls")
async def calls(how: str, kind: str) -> tuple[str, int]:
    """Return type and attempt of the failure of an activity."""
    try:
        await ACTIVITIES[how](kind)
    except ActivityError as error:
        return error.type, error.attempt
    raise AssertionError("it did not fail")


@workflow(name="hostile.calls_dry")
async def calls_dry(final: bool) -> tuple[str, str, int]:
    """Return the failure of an activity that finds nothing."""
    policy = Retry(max_attempts=3, base=0.0, max_backoff=0.0, non_retryable=(StopIteration,))
    try:
        await (dry.options(retry=policy) if final else dry)(final)
    except ActivityError as error:
        return error.type, error.message, error.attempt
    raise AssertionError("it did not fail")


@workflow(name="hostile.raises")
async def raises(kind: str) -> None:
    """Raise."""
    raise make(kind)  # continuum: allow CT503 - the input chooses the exception


@workflow(name="hostile.receives")
async def receives() -> tuple[str, str, int]:
    """Return the failure of an activity whose result cannot be written."""
    try:
        await returns()
    except ActivityError as error:
        return error.type, error.message, error.attempt
    raise AssertionError("it did not fail")


@workflow(name="hostile.ends_unreadable")
async def ends_unreadable() -> Unreadable:
    """Return a result that cannot be written."""
    return Unreadable(1)


@activity(name="hostile.undo")
async def undo() -> None:
    """Fail to compensate."""
    attempts.append("undo")
    raise NoWords


@workflow(name="hostile.unwinds")
async def unwinds(kind: str) -> None:
    """Leave a saga by an exception, whose compensation fails."""
    async with saga() as block:
        block.add(undo)
        raise make(kind)  # continuum: allow CT503 - the input chooses the exception


def _raise() -> None:
    raise NoWords


@workflow(name="hostile.side_effects")
async def side_effects() -> str:
    """Return the failure of a side effect."""
    try:
        side_effect(_raise)
    except ActivityError as error:
        return error.message
    raise AssertionError("it did not fail")


@asynccontextmanager
async def node() -> AsyncIterator[Client]:
    """Yield a client of a node with its journal in memory."""
    workflows: list[Workflow[..., Any]] = [
        calls,
        calls_dry,
        raises,
        receives,
        ends_unreadable,
        side_effects,
        unwinds,
    ]
    children = continuum.children(name="hostile", journal="memory", workflows=workflows)
    attempts.clear()
    async with Supervisor(children), continuum.connect(name="hostile") as client:
        yield client


def seen_as(kind: str) -> str:
    """Return the type under which a caller sees an exception: Python replaces two of them."""
    error = make(kind)
    replaced = type(error) is StopIteration
    return "RuntimeError" if replaced else exception_name(type(error))


@pytest.mark.parametrize("how", ACTIVITIES)
async def test_an_activity_may_raise_anything(how: str) -> None:
    async with node() as client:
        runs = {kind: await client.start(calls, how, kind) for kind in KINDS}
        for kind, run in runs.items():
            assert await run.result(DEADLINE_S) == (seen_as(kind), 1), kind


async def test_a_workflow_may_raise_anything() -> None:
    async with node() as client:
        runs = {kind: await client.start(raises, kind) for kind in KINDS}
        for kind, run in runs.items():
            with pytest.raises(RunFailed) as failed:
                await run.result(DEADLINE_S)
            assert failed.value.type == seen_as(kind), kind


@pytest.mark.parametrize(("final", "attempt"), [(False, 3), (True, 1)])
async def test_a_stop_iteration_is_retried_and_excluded_by_its_name(final: bool, attempt: int) -> None:
    async with node() as client:
        run = await client.start(calls_dry, final)
        failure = await run.result(DEADLINE_S)
        assert failure == ("RuntimeError", "coroutine raised StopIteration", attempt)
        assert len(attempts) == attempt


async def test_a_plain_activity_called_outside_a_workflow_raises_its_stop_iteration() -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await dry(False)


async def test_a_result_that_cannot_be_written_is_a_final_failure() -> None:
    async with node() as client:
        run = await client.start(receives)
        type, message, attempt = await run.result(DEADLINE_S)
        assert (type, attempt) == ("continuum.DurableTermError", 1)
        assert "cannot be read: RuntimeError" in message
        assert attempts == ["returns"], "the work was done twice"


async def test_a_run_whose_result_cannot_be_written_fails() -> None:
    async with node() as client:
        run = await client.start(ends_unreadable)
        with pytest.raises(RunFailed, match="cannot be read: RuntimeError"):
            await run.result(DEADLINE_S)


async def test_a_side_effect_may_raise_an_exception_without_words() -> None:
    async with node() as client:
        run = await client.start(side_effects)
        assert await run.result(DEADLINE_S) == "<its message cannot be read: RuntimeError>"


@pytest.mark.parametrize("kind", ["closed", "notes", "no words"])
async def test_any_exception_that_leaves_a_saga_is_compensated_and_ends_the_run(kind: str) -> None:
    async with node() as client:
        run = await client.start(unwinds, kind)
        with pytest.raises(RunFailed) as failed:
            await run.result(DEADLINE_S)
        assert failed.value.type == seen_as(kind)
        assert attempts == ["undo"]
