"""The code behind the golden histories: every kind of run there is.

Never change this code. Each workflow has a history in `runs` that an earlier engine has written; it
represents the runs of a user who deploys a later engine under the same code. For a new kind of run,
add a new workflow with a history of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import continuum
from continuum import ActivityError, ChildFailed, Retry, Signal, Workflow, activity, workflow

review = Signal("review", str)


class Declined(Exception):
    """What a bank says."""


@dataclass(frozen=True)
class Order:
    """An order, as a value of a user's own."""

    id: str
    cents: int = 500
    tags: list[str] = field(default_factory=list)


@activity(name="golden.charge", idempotency_key="charge-{order.id}")
async def charge(order: Order) -> str:
    """Charge."""
    return f"payment-{order.id}-{order.cents}"


@activity(name="golden.ship", queue="parcels", priority=3)
def ship(order: Order) -> str:
    """Ship, by way of a queue."""
    return f"track-{order.id}"


NOTHING: dict[str, int] = {}
_attempts: dict[str, int] = {}


@activity(name="golden.unsure", retry=Retry(max_attempts=4, base=2.0))
async def unsure(order: Order) -> int:
    """Succeed the third time."""
    _attempts[order.id] = _attempts.get(order.id, 0) + 1
    if _attempts[order.id] < 3:
        raise Declined("not now")
    return _attempts[order.id]


@activity(name="golden.decline")
async def decline(order: Order) -> str:
    """Fail."""
    raise Declined(f"no money for {order.id}")


@activity(name="golden.refund")
async def refund(payment: str) -> str:
    """Give the money back."""
    return f"refunded {payment}"


@activity(name="golden.refund_badly")
async def refund_badly(payment: str) -> None:
    """Fail to give the money back."""
    raise Declined(f"keeps {payment}")


@workflow(name="golden.activity_signal_activity")
async def activity_signal_activity(order: Order) -> list[str]:
    """Charge, wait, ship."""
    return [await charge(order), await review.wait(), await ship(order)]


@workflow(name="golden.signal_timeout")
async def signal_timeout() -> list[str]:
    """Wait for nobody, in two ways."""
    try:
        await review.wait(timeout=timedelta(hours=24))
    except TimeoutError:
        return ["late", await review.wait(timeout=5, default="never")]
    return ["in time"]


@workflow(name="golden.timer")
async def timer() -> str:
    """Sleep in every way there is."""
    await continuum.sleep(60)
    await asyncio.sleep(1)
    await continuum.sleep_until(continuum.now() + timedelta(days=1))
    return "rested"


@workflow(name="golden.retry_success")
async def retry_success(order: Order) -> int:
    """Try until it works."""
    return await unsure(order)


@workflow(name="golden.terminal_failure")
async def terminal_failure(order: Order) -> str:
    """Fail for good."""
    return await decline.options(retry=Retry(max_attempts=2))(order)


@workflow(name="golden.side_effect")
async def side_effect() -> list[object]:
    """Read from outside, once in vain."""
    values: list[object] = [continuum.side_effect(lambda: {"region": "eu", "limits": [1, 2]})]
    try:
        continuum.side_effect(lambda: NOTHING["missing"])
    except ActivityError as error:
        values.append([error.type, error.message])
    return values


@workflow(name="golden.primitives")
async def primitives() -> list[str]:
    """Draw what differs from run to run."""
    continuum.log.info("drawing")
    first = [continuum.now().isoformat(), continuum.today().isoformat(), str(continuum.uuid4())]
    await continuum.sleep(3)
    return [*first, str(continuum.random()), continuum.now().isoformat()]


@workflow(name="golden.saga_success")
async def saga_success(order: Order) -> str:
    """Note what would undo a call, and undo nothing."""
    async with continuum.saga() as saga:
        payment = await charge(order)
        saga.add(refund, payment)
        return await ship(order)


@workflow(name="golden.saga_failure")
async def saga_failure(order: Order) -> str:
    """Undo last first, and fail as what went wrong."""
    async with continuum.saga() as saga:
        saga.add(refund, await charge(order))
        await charge.options(compensate=refund, idempotency_key="again-{order.id}")(order)
        return await decline(order)


@workflow(name="golden.parallel_compensation")
async def parallel_compensation(order: Order) -> list[str]:
    """Undo all at once, and hear what could not be undone."""
    await charge.options(compensate=refund)(order)
    await charge.options(compensate=refund_badly, idempotency_key="second-{order.id}")(order)
    try:
        await continuum.compensate_all(mode="parallel")
    except* ActivityError as group:
        told = [str(error).partition(": ")[2] for error in group.exceptions]
    return told


@workflow(name="golden.one_compensation")
async def one_compensation(order: Order) -> list[str]:
    """Undo one call by its reference."""
    ref = await charge.options(compensate=refund)(order)
    return [ref.result, await continuum.compensate(ref)]


@workflow(name="golden.leaf")
async def leaf(number: int) -> int:
    """Be a child."""
    await continuum.sleep(10 - number)
    if number > 3:
        raise Declined(f"{number} is too much")
    return number * 2


@workflow(name="golden.child_fan_out")
async def child_fan_out() -> list[object]:
    """Start children and take how they end, in another order."""
    handles = [await leaf.start_child(number, id=f"leaf-{number}") for number in range(5)]
    ends: list[object] = [await leaf(1)]
    for handle in reversed(handles):
        try:
            ends.append(await handle)
        except ChildFailed as error:
            ends.append(error.message)
    return ends


@workflow(name="golden.waiting_leaf")
async def waiting_leaf() -> str:
    """Wait for ever."""
    return await review.wait()


@workflow(name="golden.parent_cancel_cascade")
async def parent_cancel_cascade(order: Order) -> str:
    """Wait for children; asked to stop, give the money back first."""
    handle = await waiting_leaf.start_child(parent_close_policy="cancel")
    payment = await charge(order)
    try:
        await waiting_leaf()
    except asyncio.CancelledError:
        await refund(payment)
        raise
    return await handle


@workflow(name="golden.child_cancelled")
async def child_cancelled() -> bool:
    """Hear that somebody has stopped a child."""
    try:
        await waiting_leaf()
    except ChildFailed as error:
        return error.cancelled
    return False


@workflow(name="golden.child_out_of_time")
async def child_out_of_time() -> str:
    """Ask a child to stop that takes too long."""
    try:
        async with asyncio.timeout(30):
            return await waiting_leaf()
    except TimeoutError:
        return "late"


@workflow(name="golden.continuation_chain")
async def continuation_chain(left: int, total: int = 0) -> int:
    """Count down, each number in a run of its own."""
    await continuum.sleep(60)
    if left:
        continuum.continue_as_new(left - 1, total + left)
    return total


@workflow(name="golden.continued_child_awaited")
async def continued_child_awaited() -> list[int]:
    """Wait for a child that continues."""
    before = continuum.side_effect(lambda: 1)
    return [before, await continuation_chain(2), continuum.side_effect(lambda: 2)]


@workflow(name="golden.patched")
async def patched_flow(order: Order) -> list[str]:
    """Charge on one side of a change or the other, and in a loop behind it."""
    done = [await charge(order)]
    for _ in range(2):
        await review.wait()
        if continuum.patched("ship at once"):
            done.append(await ship(order))
    return done


@workflow(name="golden.crowd")
async def crowd() -> list[int]:
    """Do many things at once."""
    seen: list[int] = []

    async def late(number: int) -> int:
        await asyncio.sleep(number % 3 + 1)
        seen.append(number)
        return number

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(late(number))
    first, *others = [asyncio.create_task(late(number)) for number in (6, 7, 8)]
    await asyncio.wait([first, *others], return_when=asyncio.FIRST_COMPLETED)
    others[1].cancel()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    return [*seen, *(answer for answer in answers if isinstance(answer, int))]


@workflow(name="golden.published")
async def published() -> str:
    """Show how far it is."""
    for step in ("packed", "sent"):
        continuum.publish("state", {"step": step})
        await continuum.sleep(5)
    return "sent"


@workflow(name="golden.long")
async def long_flow(order: Order) -> int:
    """Do the same often, so that a snapshot is worth it."""
    total = 0
    for _ in range(20):
        total += len(await ship(order)) + continuum.side_effect(lambda: 1)
    return total


@workflow(name="golden.attributes")
async def attributes() -> int:
    """Set attributes of the run before and after a step."""
    continuum.set_attributes({"step": "begun", "number": 1})
    await continuum.sleep(5)
    continuum.set_attributes({"step": "ended"})
    return 1


PROGRAMS: dict[str, Workflow[..., Any]] = {
    "activity_signal_activity": activity_signal_activity,
    "attributes": attributes,
    "cancelled": parent_cancel_cascade,
    "changed_version": activity_signal_activity,
    "child_cancelled": child_cancelled,
    "child_fan_out": child_fan_out,
    "child_out_of_time": child_out_of_time,
    "continuation_first": continuation_chain,
    "continuation_last": continuation_chain,
    "continued_child_awaited": continued_child_awaited,
    "crashed": saga_success,
    "crowd": crowd,
    "forked": activity_signal_activity,
    "namespace_and_trace": activity_signal_activity,
    "one_compensation": one_compensation,
    "open": parent_cancel_cascade,
    "parallel_compensation": parallel_compensation,
    "patched_new": patched_flow,
    "patched_old": patched_flow,
    "primitives": primitives,
    "published": published,
    "retry_success": retry_success,
    "saga_failure": saga_failure,
    "saga_success": saga_success,
    "side_effect": side_effect,
    "signal_timeout": signal_timeout,
    "snapshot": long_flow,
    "terminal_failure": terminal_failure,
    "timer": timer,
}
