"""Workflows with children, continue_as_new and compensations, for the tests of composition."""

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
    """Return twice the number, after an activity."""
    await charge(number)
    return number * 2


@workflow(name="families.waiting")
async def waiting(number: int = 0) -> int:
    """Wait for a signal."""
    return number + await go.wait()


@workflow(name="families.parent")
async def parent(number: int) -> str:
    """Run one child and return its outcome."""
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
    """Return how a child failed."""
    try:
        await failing(text)
    except ChildFailed as error:
        return [error.run_id, error.type, error.message]
    return []


@workflow(name="families.deeper")
async def deeper(level: int) -> int:
    """Start a child that starts a child, down to the deepest generation allowed."""
    try:
        return await deeper(level + 1)
    except continuum.ChildrenTooDeep:
        return level


@workflow(name="families.leaving")
async def leaving() -> list[str]:
    """End while three children live, each with another close policy."""
    handles = [
        await waiting.start_child(1, id="default"),
        await waiting.start_child(2, parent_close_policy="cancel"),
        await waiting.start_child(3, parent_close_policy="abandon"),
    ]
    await go.wait()
    return [handle.id for handle in handles]


@workflow(name="families.impatient")
async def impatient() -> str:
    """Give a child a short timeout."""
    try:
        async with asyncio.timeout(0.05):
            await waiting(1)
    except TimeoutError:
        return "gave up"
    return "waited"


@workflow(name="families.chain")
async def chain(left: int, total: int = 0) -> int:
    """Add the signalled numbers, each in a run of its own, and publish the sum."""
    if left == 0:
        return total
    total += await go.wait()
    continuum.publish("total", total)
    chain.continue_as_new(left - 1, total)


@workflow(name="families.orderly")
async def orderly(left: int, received: list[int]) -> list[int]:
    """Receive numbers one by one, each in a run of its own and only after the signal to listen."""
    if left == 0:
        return received
    await listen.wait()
    orderly.continue_as_new(left - 1, [*received, await go.wait()])


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
    """Continue as new for ever, without ever waiting."""
    endless.continue_as_new(turn + 1)


@activity(name="families.undo")
async def undo(name: str) -> None:
    """Record that it ran; the second waits until the test releases it."""
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
    """Book three things, fail, and compensate."""
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
    """Wait for a signal first, and release the lease at any end."""
    try:
        return await go.wait()
    finally:
        await undo(name)
