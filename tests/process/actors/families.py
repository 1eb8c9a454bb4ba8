"""Workflows that start others, continue as new and undo what they did, for the tests of composition."""

from __future__ import annotations

import asyncio
from collections import Counter

import continuum
from continuum import ActivityError, ChildFailed, Signal, activity, workflow
from tests.process.actors.orders import charge

go = Signal("go", int)
listen = Signal("listen", int)
undone: Counter[str] = Counter()
undoing = asyncio.Event()


@workflow(name="families.double")
async def double(number: int) -> int:
    """Answer twice the number, after an activity."""
    await charge(number)
    return number * 2


@workflow(name="families.waiting")
async def waiting(number: int = 0) -> int:
    """Wait for a signal."""
    return number + await go.wait()


@workflow(name="families.parent")
async def parent(number: int) -> str:
    """Run one child and say what came of it."""
    return f"child said {await double(number)}"


@workflow(name="families.patient")
async def patient(number: int) -> int:
    """Wait for a child that waits."""
    return await waiting(number)


@workflow(name="families.grandparent")
async def grandparent(number: int) -> int:
    """Wait for a child that waits for one."""
    return await patient(number)


@workflow(name="families.fan_out")
async def fan_out(width: int) -> int:
    """Run many children at once."""
    return sum(await asyncio.gather(*(double(number) for number in range(width))))


@workflow(name="families.failing")
async def failing(text: str) -> int:
    """Fail."""
    raise ValueError(text)


@workflow(name="families.forgiving")
async def forgiving(text: str) -> list[str]:
    """Say how a child failed."""
    try:
        await failing(text)
    except ChildFailed as error:
        return [error.run_id, error.type, error.message]
    return []


@workflow(name="families.deeper")
async def deeper(level: int) -> int:
    """Go down until nobody may go further."""
    try:
        return await deeper(level + 1)
    except continuum.ChildrenTooDeep:
        return level


@workflow(name="families.leaving")
async def leaving() -> list[str]:
    """End while three children live, each under another policy."""
    handles = [
        await waiting.start_child(1, id="default"),
        await waiting.start_child(2, parent_close_policy="cancel"),
        await waiting.start_child(3, parent_close_policy="abandon"),
    ]
    await go.wait()
    return [handle.id for handle in handles]


@workflow(name="families.impatient")
async def impatient() -> str:
    """Give a child little time."""
    try:
        async with asyncio.timeout(0.05):
            await waiting(1)
    except TimeoutError:
        return "gave up"
    return "waited"


@workflow(name="families.chain")
async def chain(left: int, total: int = 0) -> int:
    """Add what is signalled, each number in a run of its own; show the sum."""
    if left == 0:
        return total
    total += await go.wait()
    continuum.publish("total", total)
    chain.continue_as_new(left - 1, total)


@workflow(name="families.orderly")
async def orderly(left: int, heard: list[int]) -> list[int]:
    """Hear numbers one after the other, each in a run of its own and only when asked to listen."""
    if left == 0:
        return heard
    await listen.wait()
    orderly.continue_as_new(left - 1, [*heard, await go.wait()])


@workflow(name="families.adopting")
async def adopting(children: list[str]) -> list[str]:
    """Leave a child to a successor that waits."""
    if not children:
        handle = await waiting.start_child()
        adopting.continue_as_new([handle.id])
    await go.wait()
    return children


@workflow(name="families.calling_a_chain")
async def calling_a_chain(left: int) -> int:
    """Wait for a child that continues as new."""
    return await chain(left)


@workflow(name="families.endless")
async def endless(turn: int) -> None:
    """Continue as new for ever, without waiting for anything."""
    endless.continue_as_new(turn + 1)


@activity(name="families.undo")
async def undo(name: str) -> None:
    """Note that it ran; the second holds until it is allowed to end."""
    undone[name] += 1
    if name == "b" and undone[name] == 1:
        undoing.set()
        await asyncio.Event().wait()


@activity(name="families.book")
async def book(name: str) -> str:
    """Book something."""
    return name


@activity(name="families.break_down")
async def break_down() -> None:
    """Fail."""
    raise ValueError("no room")


@workflow(name="families.trip")
async def trip() -> str:
    """Book three things, fail, and undo them."""
    booking = book.options(compensate=undo)
    refs = [await booking(name) for name in "abc"]
    try:
        await break_down()
    except ActivityError:
        await continuum.compensate_all()
        return "undid " + "".join(continuum.unwrap(ref) for ref in refs)
    return "booked"


@workflow(name="families.leasing")
async def leasing(name: str) -> int:
    """Wait for a signal before anything else, and give back what it was given in any case."""
    try:
        return await go.wait()
    finally:
        await undo(name)
