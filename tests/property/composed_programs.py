"""The workflow that executes a `Work` (`composed_works.py`), in two versions, and its activities.

Activities record in a ledger outside every journal what they have really done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import continuum
from continuum import ActivityError, ChildFailed, Retry, activity, workflow
from tests.property.composed_works import Node, Work, child_works
from tests.property.ledger import ledger

MAIL = "mail"
FAR_SECONDS = 1e9
POLICIES: tuple[Literal["cancel", "abandon"] | None, ...] = (None, "cancel", "abandon")
MODES: tuple[Literal["sequential", "parallel"], ...] = ("sequential", "parallel")


@activity(name="composed.act")
async def act(number: int) -> int:
    """Return the number."""
    ledger.note("composed.act", number)
    return number


@activity(name="composed.echo")
async def echo(number: int, value: UUID) -> UUID:
    """Return the argument."""
    ledger.note("composed.echo", number)
    return value


@activity(name="composed.fail")
async def fail(number: int) -> int:
    """Fail every time."""
    ledger.note("composed.fail", number)
    raise ValueError(number)


@activity(name="composed.flaky")
async def flaky(number: int) -> int:
    """Fail the first time."""
    if ledger.note("composed.flaky", number) == 0:
        raise ValueError(number)
    return number


@activity(name="composed.undo")
async def undo(number: int) -> None:
    """Compensate `number`."""
    ledger.note("composed.undo", number)


@activity(name="composed.torn")
async def torn(number: int) -> None:
    """Fail to compensate `number`."""
    ledger.note("composed.torn", number)
    raise ValueError(number)


@dataclass(slots=True)
class Stage:
    """One run: how it decides on its patch, and its decision so far."""

    decide: Callable[[], str]
    unit: float
    decisions: list[str] = field(default_factory=list)


@workflow(name="composed.work")
async def work_flow(work: Work, before: list[Any]) -> list[Any]:
    """Execute the work, in the first version of the code."""
    results = await run_stage(work, Stage(written_first, work.unit))
    return carry_on(work, [*before, results])


@workflow(name="composed.work", label=2)
async def work_flow_changed(work: Work, before: list[Any]) -> list[Any]:
    """Execute the work, in a later version with a patch that runs which began before do not take."""
    results = await run_stage(work, Stage(written_later, work.unit))
    return carry_on(work, [*before, results])


def written_first() -> str:
    return "old"


def written_later() -> str:
    if not continuum.patched("change"):
        return "old"
    return str(continuum.side_effect(lambda: "new"))


def carry_on(work: Work, results: list[Any]) -> list[Any]:
    if len(work.stages) == 1:
        return results
    work_flow.continue_as_new(Work(work.number, work.stages[1:], work.strict, work.unit), results)


async def run_stage(work: Work, stage: Stage) -> list[Any]:
    results = []
    for node in work.stages[0]:
        one = interpret(node, stage)
        results.append(await one if work.strict else await settled(one))
    assert len(set(stage.decisions)) <= 1, "a run decides once"
    return results


async def interpret(node: Node, stage: Stage) -> Any:
    match node.kind:
        case "act" | "fail" | "flaky" | "broken" | "queued" | "values":
            return await interpret_activity(node, stage)
        case "sleep" | "signal" | "mail" | "late":
            return await interpret_waiting(node, stage)
        case "stopped" | "outrun":
            return await interpret_stopped(node, stage)
        case "child" | "chain" | "fan_out" | "left":
            return await interpret_children(node, stage)
        case "saga" | "booked" | "undone" | "torn" | "undo_all":
            return await interpret_undoing(node, stage)
        case "side" | "patched" | "publish" | "tell":
            return interpret_saying(node, stage)
        case _:
            return await interpret_tasks(node, stage)


async def interpret_activity(node: Node, stage: Stage) -> Any:
    number, retry = node.number, Retry(max_attempts=3, base=stage.unit)
    match node.kind:
        case "act":
            return await act(number)
        case "fail":
            return await fail(number)
        case "flaky":
            return await flaky.options(retry=retry)(number)
        case "broken":
            return await fail.options(retry=retry)(number)
        case "queued":
            return await act.options(queue="composed", retry=retry)(number)
        case _:
            begun, value, part = continuum.now(), continuum.uuid4(), continuum.random()
            assert await echo(number, value) == value
            assert begun <= continuum.now()
            assert 0 <= part < 1
            return node.kind


async def interpret_waiting(node: Node, stage: Stage) -> Any:
    number, soon = node.number, node.number % 5 * stage.unit
    match node.kind:
        case "signal":
            return await continuum.wait_signal(f"s{number}", timeout=FAR_SECONDS if number % 2 else None)
        case "mail":
            return await continuum.wait_signal(MAIL)
        case "late":
            return await continuum.wait_signal("never", timeout=soon, default="late")
        case _:
            await continuum.sleep(soon)
            return node.kind


def interpret_saying(node: Node, stage: Stage) -> Any:
    match node.kind:
        case "side":
            return continuum.side_effect(lambda: node.number)
        case "patched":
            stage.decisions.append(stage.decide())
        case "publish":
            continuum.publish(f"c{node.number}", node.number)
        case _:
            continuum.publish("last", node.number)
    return node.kind


async def interpret_stopped(node: Node, stage: Stage) -> str:
    waits = Work(node.number, ((Node("signal", 0),),), True, stage.unit)
    if node.kind == "outrun":
        try:
            async with asyncio.timeout(node.number % 5 * stage.unit):
                await work_flow(waits, [])
        except TimeoutError:
            return node.kind
        return "waited"
    handle = await work_flow.start_child(waits, [])
    handle.cancel()
    try:
        await handle
    except ChildFailed as error:
        return node.kind if error.cancelled else "failed"
    return "waited"


async def interpret_children(node: Node, stage: Stage) -> Any:
    works_of_children = child_works(node, stage.unit)
    if node.kind == "fan_out":
        handles = [await work_flow.start_child(work, [], id=str(work.number)) for work in works_of_children]
        return [await settled(handle) for handle in handles]
    if node.kind == "left":
        policy = POLICIES[node.number % 3]
        await work_flow.start_child(works_of_children[0], [], parent_close_policy=policy)
        return node.kind
    return await work_flow(works_of_children[0], [])


async def interpret_undoing(node: Node, stage: Stage) -> Any:
    number, mode = node.number, MODES[node.number % 2]
    if node.kind == "undo_all":
        await continuum.compensate_all(mode)
        return node.kind
    async with continuum.saga() as saga:
        match node.kind:
            case "saga":
                saga.add(undo, number)
            case "torn":
                saga.add(undo, number)
                saga.add(torn, number)
            case "booked":
                await act.options(compensate=undo.bind(number))(number)
            case _:
                ref = await act.options(compensate=undo)(number)
                results = await settled(in_sequence(node, stage))
                await continuum.compensate(ref)
                return [results, continuum.unwrap(ref)]
        results = await in_sequence(node, stage)
        if node.kind == "torn":
            try:
                await saga.compensate(mode)
            except ExceptionGroup as group:
                results.append(len(group.exceptions))
        if node.kind == "booked":
            continuum.publish(f"left{number}", number)
        return results


async def interpret_tasks(node: Node, stage: Stage) -> Any:
    match node.kind:
        case "gather":
            results = await asyncio.gather(*spread(node, stage), return_exceptions=True)
            return [or_failed(result) for result in results]
        case "group":
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(child) for child in spread(node, stage)]
            return [task.result() for task in tasks]
        case "completed":
            results = [await settled(result) for result in asyncio.as_completed(spread(node, stage))]
            return sorted(results, key=repr)
        case "wait":
            tasks = [asyncio.create_task(child) for child in spread(node, stage)]
            await asyncio.wait(tasks)
            return len([await settled(task) for task in tasks])
        case "in_time":
            async with asyncio.timeout(FAR_SECONDS):
                return await in_sequence(node, stage)
        case "catch":
            return await settled(in_sequence(node, stage))
        case _:
            return await in_sequence(node, stage)


def spread(node: Node, stage: Stage) -> list[Coroutine[Any, Any, Any]]:
    return [interpret(child, stage) for child in node.children]


async def in_sequence(node: Node, stage: Stage) -> list[Any]:
    return [await interpret(child, stage) for child in node.children]


async def settled(awaitable: Any) -> Any:
    try:
        return await awaitable
    except (ActivityError, ChildFailed, ExceptionGroup) as error:
        return or_failed(error)


def or_failed(value: Any) -> Any:
    return "failed" if isinstance(value, Exception) else value
