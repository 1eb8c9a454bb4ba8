"""The order workflow of the crash tests, and a crowd of concurrent tasks without a fixed order."""

from __future__ import annotations

import asyncio

import continuum
from continuum import Retry, Signal, activity

approval = Signal("approval", str)
calls: dict[str, int] = {}


class Unavailable(Exception):
    """The carrier fails the first time."""


@activity(name="order.validate")
def validate(order: str) -> float:
    return 12.5


@activity(name="order.charge", idempotency_key="charge-{order}")
def charge(order: str, amount: float) -> str:
    return f"payment-{order}-{amount}"


@activity(name="order.refund")
def refund(payment: str) -> None:
    """Refund the charge."""


@activity(name="order.ship", retry=Retry(max_attempts=3, base=5.0))
def ship(order: str, label: str) -> str:
    calls["ship"] = calls.get("ship", 0) + 1
    if calls["ship"] % 2:
        raise Unavailable("no answer")
    return f"track-{order}"


@activity(name="order.work")
def work(number: int) -> int:
    return number


class Rejected(Exception):
    """The order was not approved."""


async def order_flow() -> str:
    """Validate, charge, wait for approval, sleep, ship; without approval, refund."""
    async with continuum.saga() as saga:
        amount = await validate("o1")
        payment = await charge("o1", amount)
        saga.add(refund, payment)
        if await approval.wait(timeout=3600, default="no") != "yes":
            raise Rejected("o1")
        await asyncio.sleep(86_400)
        label = f"{continuum.today()}-{continuum.uuid4()}"
        return await ship("o1", label)


async def crowd() -> list[int]:
    """Sets of tasks, groups, completion order: hash seeds and Python versions could change their order."""
    seen: list[int] = []

    async def late(number: int) -> int:
        await asyncio.sleep(number % 3 + 1)
        return await work(number)

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(late(number))
    tasks = {asyncio.create_task(late(number)) for number in range(8)}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        seen.append(await work(task.result()))  # noqa: PERF401 - one after the other
    try:
        for result in asyncio.as_completed([late(number) for number in range(7)], timeout=2.5):
            seen.append(await work(await result))  # noqa: PERF401 - one after the other
    except TimeoutError:
        seen.append(await work(99))
    results = await asyncio.gather(
        *[asyncio.wait_for(late(number), 2.5) for number in range(4)], return_exceptions=True
    )
    seen += [await work(result) for result in results if isinstance(result, int)]
    shields = await asyncio.wait([asyncio.shield(work(number)) for number in range(6)])
    for future in shields[0]:
        seen.append(await work(future.result()))
    try:
        await asyncio.gather(*(late(number) for number in range(3)), approval.wait(timeout=0.5))
    except TimeoutError:
        seen.append(await work(100))
    return seen
