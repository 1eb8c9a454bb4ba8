"""The workflows of the simulated programs, and their activities. Each is small: a seed runs several."""

from __future__ import annotations

import asyncio
from typing import Any

import continuum
from continuum import Retry, activity, workflow
from continuum.versions.loaded_code import Code
from tests.simulation.ledger import Current, end_process, note

# Longer than any simulation.
FOR_EVER = 1e6


@activity(name="sim.do")
async def do(effect: str) -> str:
    """Do something at once."""
    note(effect)
    return effect


@activity(name="sim.slow")
async def slow(effect: str, seconds: float) -> str:
    """Do something that takes a while."""
    await asyncio.sleep(seconds)
    note(effect)
    return effect


@activity(name="sim.queued", queue="work")
async def queued(effect: str, seconds: float) -> str:
    """Do something on a queue."""
    await asyncio.sleep(seconds)
    note(effect)
    return effect


@activity(name="sim.keyed", queue="work")
async def keyed(effect: str) -> str:
    """Return another answer each time it is executed."""
    return f"{effect}#{note(effect)}"


@activity(name="sim.flaky", retry=Retry(max_attempts=6, base=0.3, max_backoff=1.0))
async def flaky(effect: str, fails: int) -> str:
    """Fail the first times."""
    if note(effect) < fails:
        raise ValueError(effect)
    return effect


@activity(name="sim.refuse")
async def refuse(effect: str) -> str:
    """Fail."""
    raise ValueError(effect)


@activity(name="sim.undo")
async def undo(effect: str) -> None:
    """Compensate an effect."""
    note(f"undo {effect}")


@workflow(name="sim.saga")
async def saga_flow(name: str, fails: bool) -> str:
    """Book two things, and undo both when a third fails."""
    async with continuum.saga() as saga:
        await do(f"{name}/a")
        saga.add(undo, f"{name}/a")
        await queued(f"{name}/b", 0.05)
        saga.add(undo, f"{name}/b")
        if fails:
            await refuse(name)
        await slow(f"{name}/c", 0.2)
    return "booked"


@workflow(name="sim.child")
async def child_flow(name: str, seconds: float) -> str:
    """Wait, then do something."""
    await continuum.sleep(seconds)
    return await do(name)


@workflow(name="sim.family")
async def family_flow(name: str) -> list[str]:
    """Start four children with their close policies, and wait for two of them."""
    await child_flow.start_child(f"{name}/cancel", FOR_EVER, parent_close_policy="cancel")
    await child_flow.start_child(f"{name}/abandon", 2.0, parent_close_policy="abandon")
    first = await child_flow.start_child(f"{name}/first", 0.3)
    return [await child_flow(f"{name}/second", 0.0), await first]


@workflow(name="sim.mailbox")
async def mailbox_flow(count: int) -> list[int]:
    """Receive so many signals, with a time-out that fires meanwhile."""
    got: list[int] = []
    while len(got) < count:
        value = await continuum.wait_signal("mail", timeout=1.5, default=None)
        if value is not None:
            got.append(value)
    return got


@workflow(name="sim.race")
async def race_flow(seconds: float) -> list[str]:
    """Wait for a signal or for the time, and in the end for the signal."""
    first = await continuum.wait_signal("go", timeout=seconds, default="late")
    if first != "late":
        return [first]
    return ["late", await continuum.wait_signal("go")]


@workflow(name="sim.timers")
async def timers_flow(name: str) -> list[Any]:
    """Sleep beside an activity, and run out of time with another."""
    begun = continuum.now()
    beside, _ = await asyncio.gather(slow(f"{name}/beside", 0.4), continuum.sleep(0.7))
    timed_out = False
    try:
        async with asyncio.timeout(0.5):
            await queued(f"{name}/too-slow", 30.0)
    except TimeoutError:
        timed_out = True
    await continuum.sleep(0.5)
    elapsed = (continuum.now() - begun).total_seconds()
    return [beside, timed_out, elapsed >= 1.7]


@workflow(name="sim.queue")
async def queue_flow(name: str, key: str) -> list[str]:
    """Have a queue do several things at once, one of them with one answer for all."""
    shared = keyed.options(idempotency_key=key)
    return list(
        await asyncio.gather(
            queued(f"{name}/1", 0.1), shared(key), queued(f"{name}/2", 0.3), flaky(f"{name}/3", 2)
        )
    )


@workflow(name="sim.retries")
async def retries_flow(name: str) -> list[str]:
    """Succeed after failures, here and on a queue."""
    return [await flaky(f"{name}/1", 2), await flaky.options(queue="work")(f"{name}/2", 1)]


@workflow(name="sim.counter")
async def counter_flow(left: int, got: list[int]) -> list[int]:
    """Receive a signal in each run of a chain, and publish how many."""
    value = await continuum.wait_signal("count")
    got = [*got, value]
    continuum.publish("count", len(got))
    if left > 1:
        counter_flow.continue_as_new(left - 1, got)
    return got


@workflow(name="sim.patient")
async def patient_flow(name: str) -> str:
    """Wait for ever, and tidy up when cancelled."""
    try:
        await do(f"{name}/begun")
        await continuum.sleep(FOR_EVER)
    finally:
        await do(f"{name}/tidied")
    return "not reached"


@activity(name="sim.deadly")
async def deadly(effect: str, times: int) -> str:
    """Kill the process the first times."""
    if note(effect) < times:
        await end_process()
    return effect


@workflow(name="sim.deadly")
async def deadly_flow(name: str, times: int, on_queue: bool) -> str:
    """Call what kills its process."""
    await continuum.sleep(0.05)
    return await (deadly.options(queue="work") if on_queue else deadly)(name, times)


@activity(name="sim.isolated", executor="process")
def isolated(effect: str, dies: int) -> str:
    """Do something in a process of its own, which dies of it the first times."""
    if note(effect) < dies:
        Current.end_process()
    return effect


@workflow(name="sim.isolated")
async def isolated_flow(name: str, dies: int) -> list[str]:
    """Have several things done in processes of their own, one of which kills its own."""
    return list(
        await asyncio.gather(isolated(f"{name}/1", 0), isolated(f"{name}/2", dies), queued(f"{name}/3", 0.1))
    )


@workflow(name="sim.versioned")
async def versioned_flow(name: str) -> list[str]:
    """Work, in the first version."""
    before = await do(f"{name}/1")
    await continuum.sleep(0.8)
    return [before, "old", await do(f"{name}/2")]


@workflow(name="sim.versioned", label=2)
async def versioned_flow_changed(name: str) -> list[str]:
    """Work, in a later version with a step that runs which began before do not take."""
    before = await do(f"{name}/1")
    await continuum.sleep(0.8)
    way = await do(f"{name}/new") if continuum.patched("new") else "old"
    return [before, "old" if way == "old" else "new", await do(f"{name}/2")]


_ALWAYS = (
    *(saga_flow, child_flow, family_flow, mailbox_flow, race_flow, timers_flow),
    *(queue_flow, retries_flow, counter_flow, patient_flow, deadly_flow, isolated_flow),
)
FIRST = Code([*_ALWAYS, versioned_flow])
CHANGED = Code([*_ALWAYS, versioned_flow, versioned_flow_changed])
