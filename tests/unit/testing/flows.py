"""Workflows for the tests of the testing kit."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import continuum
from continuum import ActivityError, Retry, Signal, activity, workflow

review = Signal("review", str)


class Declined(Exception):
    """The error of a bank."""


@activity(name="testing_charge", retry=Retry(max_attempts=4, base=10.0, backoff="exponential", jitter=0.0))
async def charge(order: str, amount: int) -> str:
    """Charge an order."""
    return f"payment-{order}-{amount}"


@activity(name="testing_ship", idempotency_key="ship:{order}")
def ship(order: str) -> str:
    """Ship an order, in a thread."""
    return f"track-{order}"


@activity(name="testing_pack", queue="packing")
async def pack(order: str) -> int:
    """Pack an order, through a queue."""
    return len(order)


@activity(name="testing_refund")
async def refund(payment: str) -> None:
    """Refund a payment."""


@activity(name="testing_stuck", timeout=30.0)
async def stuck() -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


@activity(name="testing_isolated", executor="process")
def isolated(number: int) -> int:
    """Count in a process of its own, if there is one."""
    return number + 1


@workflow(name="testing_order")
async def order_flow(order: str) -> str:
    """Charge, wait a day for a verdict, ship or refund."""
    payment = await charge(order, 5)
    try:
        verdict = await review.wait(timeout=timedelta(hours=24))
    except TimeoutError:
        verdict = "approved"
    if verdict == "rejected":
        await refund(payment)
        return "rejected"
    packed, tracked = await asyncio.gather(pack(order), ship(order))
    return f"{tracked} {packed}"


@workflow(name="testing_stuck_flow")
async def stuck_flow() -> str:
    """Return how an activity ended that waits for ever."""
    try:
        await stuck()
    except ActivityError as error:
        return error.type
    return "came back"


@workflow(name="testing_sleeper")
async def sleeper(until: datetime) -> list[float]:
    """Sleep in two ways and return how long each took."""
    start = continuum.now()
    await continuum.sleep(60)
    middle = continuum.now()
    await continuum.sleep_until(until)
    return [(middle - start).total_seconds(), (continuum.now() - middle).total_seconds()]


@workflow(name="testing_values")
async def values() -> list[str]:
    """Return values that differ between runs."""
    differing = [str(continuum.now()), str(continuum.uuid4()), str(continuum.random())]
    await continuum.sleep(1)
    return differing


@workflow(name="testing_parent")
async def parent(order: str) -> str:
    """Call a child."""
    return "child: " + await order_flow(order)


@workflow(name="testing_busy")
async def busy_flow() -> None:
    """Keep busy without any effect."""
    while True:  # noqa: ASYNC110 - this is the mistake under test
        await asyncio.sleep(0)


@workflow(name="testing_waiting_parent")
async def waiting_parent() -> None:
    """Wait for a child that is blocked."""
    await busy_flow()


@workflow(name="testing_countdown")
async def countdown(left: int) -> str:
    """Continue as new every hour until nothing is left."""
    await continuum.sleep(timedelta(hours=1))
    if left:
        continuum.continue_as_new(left - 1)
    return "over"


@workflow(name="testing_closed", signals=[review])
async def closed_flow() -> str:
    """Declare one signal and no other."""
    return await review.wait()


@workflow(name="testing_isolating")
async def isolating() -> int:
    """Call an isolated activity."""
    return await isolated(1)
