"""Small workflows as data: strategies, the expected result, and the workflow that executes one.

`expected` is the reference model: it knows nothing of tasks, journals or replay. The order of
results does not change the outcome of a program: a timeout is either far longer than
everything in it or around something that never happens, and failures look alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st

import continuum
from continuum import ActivityError, Retry, activity

LEAVES = ("act", "fail", "flaky", "sleep", "signal", "side", "late", "now", "patched")
BLOCKS = ("seq", "gather", "group", "in_time", "saga", "catch", "completed", "wait")
SIGNAL = "go"
FAR_SECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Node:
    """One step; its `number` is unique, so that every call can be identified."""

    kind: str
    number: int
    children: tuple[Node, ...] = ()


def numbered(shape: Any, numbers: count[int]) -> Node:
    """Number the steps of a generated shape (a kind, or a kind with its children)."""
    if isinstance(shape, str):
        return Node(shape, next(numbers))
    kind, children = shape
    return Node(kind, next(numbers), tuple(numbered(child, numbers) for child in children))


shapes = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.tuples(st.sampled_from(BLOCKS), st.lists(inner, min_size=1, max_size=4)),
    max_leaves=12,
)
programs = st.lists(shapes, min_size=1, max_size=5).map(lambda shape: numbered(("catch", shape), count(1)))


def signals_in(node: Node) -> int:
    """Return how many signals the program can receive."""
    return (node.kind == "signal") + sum(signals_in(child) for child in node.children)


class Fails(Exception):
    """The model's failure."""


def expected(node: Node) -> object:
    """Return the result of the program; raise `Fails` when it fails."""
    match node.kind:
        case "act" | "side" | "flaky":
            return node.number
        case "fail":
            raise Fails
        case "sleep" | "signal" | "late" | "now" | "patched":
            return node.kind
        case "gather":
            return [result_or_failure(child) for child in node.children]
        case "completed":
            return sorted((result_or_failure(child) for child in node.children), key=repr)
        case "wait":
            return len(node.children)
        case "catch":
            return result_or_failure(Node("seq", node.number, node.children))
        case _:
            return [expected(child) for child in node.children]


def result_or_failure(node: Node) -> object:
    """Return the result of the program, or the failure."""
    try:
        return expected(node)
    except Fails:
        return "failed"


@activity(name="program.act")
def act(number: int) -> int:
    return number


@activity(name="program.fail")
def fail(number: int) -> int:
    raise ValueError(number)


@activity(name="program.undo")
def undo(number: int) -> None:
    """Compensate `number`."""


failed_once: set[int] = set()


@activity(name="program.flaky", retry=Retry(max_attempts=2, base=3.0))
def flaky(number: int) -> int:
    if number not in failed_once:
        failed_once.add(number)
        raise ValueError(number)
    return number


def workflow_of(node: Node) -> Callable[[], Coroutine[Any, Any, object]]:
    """Return the workflow that runs the program."""

    async def program() -> object:
        return await interpret(node)

    return program


async def interpret(node: Node) -> object:
    match node.kind:
        case "act":
            return await act(node.number)
        case "fail":
            return await fail(node.number)
        case "flaky":
            return await flaky(node.number)
        case "side":
            return continuum.side_effect(lambda: node.number)
        case "late":
            try:
                await continuum.wait_signal("never", timeout=node.number)
            except TimeoutError:
                pass
        case "sleep":
            await asyncio.sleep(node.number)
        case "signal":
            await continuum.wait_signal(SIGNAL)
        case "now":
            assert continuum.now() <= continuum.now()
        case "patched":
            assert continuum.patched("one") == continuum.patched("one")
        case _:
            return await interpret_block(node)
    return node.kind


async def interpret_block(node: Node) -> object:
    match node.kind:
        case "gather":
            return [or_failed(value) for value in await asyncio.gather(*spread(node), return_exceptions=True)]
        case "group":
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(child) for child in spread(node)]
            return [task.result() for task in tasks]
        case "completed":
            results = [await settled(result) for result in asyncio.as_completed(spread(node))]
            return sorted(results, key=repr)
        case "wait":
            done, _ = await asyncio.wait({asyncio.create_task(child) for child in spread(node)})
            return len([await settled(task) for task in done])
        case "in_time":
            async with asyncio.timeout(FAR_SECONDS):
                return await in_sequence(node)
        case "saga":
            async with continuum.saga() as saga:
                saga.add(undo, node.number)
                return await in_sequence(node)
        case "catch":
            return await settled(in_sequence(node))
        case _:
            return await in_sequence(node)


def spread(node: Node) -> list[Coroutine[Any, Any, object]]:
    return [interpret(child) for child in node.children]


async def in_sequence(node: Node) -> list[object]:
    return [await interpret(child) for child in node.children]


async def settled(awaitable: Any) -> object:
    try:
        return await awaitable
    except (ActivityError, ExceptionGroup) as error:
        return or_failed(error)


def or_failed(value: object) -> object:
    return "failed" if isinstance(value, Exception) else value
