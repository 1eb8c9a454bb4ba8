"""The workflows and activities of the nodes; every effect is a line in the ledger."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time

import continuum
from continuum import ActivityError, Retry, Signal, activity, activity_context, workflow
from tests.chaos.ledger import note, noted

word = Signal("word", str)
# Faults end attempts that have done nothing wrong; what is tested is that none of them fails a run.
PATIENT = Retry(max_attempts=50, base=0.05, max_backoff=1.0)
# How often the activity `fall` ends its own process before it succeeds.
FALLS = 2


@activity(name="chaos.charge", idempotency_key="charge:{number}", retry=PATIENT)
async def charge(number: int) -> str:
    """Run in the loop of a run host."""
    note("charge", number)
    return f"payment {number}"


@activity(name="chaos.reserve", retry=PATIENT)
def reserve(number: int) -> str:
    """Run in a thread of a run host."""
    note("reserve", number)
    return f"room {number}"


@activity(name="chaos.decline", retry=Retry(max_attempts=1))
async def decline(number: int) -> None:
    """Fail as a shop does that has sold out."""
    note("decline", number)
    raise PermissionError("sold out")


@activity(name="chaos.refund", retry=PATIENT)
async def refund(number: int) -> None:
    """Undo a charge."""
    note("refund", number)


@activity(name="chaos.release", retry=PATIENT)
async def release(number: int) -> None:
    """Undo a reservation."""
    note("release", number)


@activity(name="chaos.press", executor="process", retry=PATIENT)
def press(number: int) -> int:
    """Run in an activity host."""
    note("press", number)
    return number * 2


@activity(name="chaos.count", queue="counting", retry=PATIENT)
async def count(number: int) -> int:
    """Count to five from a queue; another attempt continues where the last heartbeat was."""
    begun = activity_context().last_heartbeat or 0
    for each in range(int(begun), 5):
        await asyncio.sleep(0.02)
        activity_context().heartbeat(each + 1)
    note("count", number)
    return number


@activity(name="chaos.once", at_most_once=True)
async def stamp_once(number: int) -> str:
    """Do something that must never happen twice."""
    note("once", number)
    return "stamped"


@activity(name="chaos.fall", retry=PATIENT)
def fall(number: int) -> str:
    """End the process that runs this, twice, each time in another way."""
    falls = noted()["fall", number]
    if falls < FALLS:
        note("fall", number)
        match (number + falls) % 3:
            case 0:
                os._exit(7)
            case 1:
                os.kill(os.getpid(), signal.SIGKILL)
            case _:
                ctypes.string_at(0)
    return "stood up"


@activity(name="chaos.deaf", timeout=0.3, retry=Retry(max_attempts=1))
async def deaf(number: int) -> None:
    """Ignore every cancellation for a while."""
    note("deaf", number)
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue


@workflow(name="chaos.saga")
async def trip(number: int) -> str:
    """Charge, reserve, and undo both if the shop declines, which it does every third time."""
    async with continuum.saga() as saga:
        payment = await charge(number)
        saga.add(refund, number)
        room = await reserve(number)
        saga.add(release, number)
        if number % 3 == 0:
            await decline(number)
        return f"{payment}, {room}"


@workflow(name="chaos.leaf")
async def leaf(number: int) -> int:
    """Sleep, then use a process."""
    await continuum.sleep(0.1)
    return await press(number)


@workflow(name="chaos.family")
async def family(number: int) -> int:
    """Start three children and add their results up."""
    children = [await leaf.start_child(number + each, id=f"leaf {each}") for each in range(3)]
    return sum([await child for child in children])


@workflow(name="chaos.signals")
async def signals(number: int) -> str:
    """Wait for two signals, which keep their order."""
    first = await word.wait()
    await charge(number)
    return first + await word.wait()


@workflow(name="chaos.race")
async def race(number: int) -> str:
    """Let a signal and a deadline race."""
    try:
        return await word.wait(timeout=0.3)
    except TimeoutError:
        return "too late"


@workflow(name="chaos.timers")
async def timers(number: int) -> int:
    """Sleep three times at once, then once more."""
    await asyncio.gather(*(continuum.sleep(each / 5) for each in (1, 2, 5)))
    await continuum.sleep(0.1)
    return number


@workflow(name="chaos.queue")
async def queue(number: int) -> int:
    """Hand an activity to whichever node serves the queue."""
    return await count(number)


@workflow(name="chaos.chain")
async def chain(number: int, link: int = 0) -> int:
    """Continue as new four times, and publish each link."""
    continuum.publish("link", link)
    await charge(number)
    if link == 4:
        return number
    chain.continue_as_new(number, link + 1)


@workflow(name="chaos.once_only")
async def once_only(number: int) -> str:
    """Do something at most once, and say so if it is not known whether it happened."""
    try:
        return await stamp_once(number)
    except ActivityError:
        return "not known"


@workflow(name="chaos.falling")
async def falling(number: int) -> str:
    """Run an activity that kills its process twice."""
    return await fall(number)


@workflow(name="chaos.deafness")
async def deafness(number: int) -> str:
    """Stop waiting for an activity that does not listen."""
    try:
        await deaf(number)
    except ActivityError as error:
        return error.type
    return "it ended"


@workflow(name="chaos.endless")
async def endless(number: int) -> None:
    """Charge, and wait until somebody cancels; then refund."""
    async with continuum.saga() as saga:
        await charge(number)
        saga.add(refund, number)
        await word.wait()
