"""What an order is, and what happens to it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from continuum import Retry, Signal, activity, publish, saga, sleep, workflow

Verdict = Literal["approved", "rejected"]


@dataclass(frozen=True)
class Order:
    id: str
    cents: int


review = Signal("review", str)


@activity(retry=Retry(max_attempts=5, base=0.5), timeout=30)
async def charge(order: Order) -> str:
    return f"payment-{order.id}-{order.cents}"


@activity
async def refund(payment: str) -> None: ...


@activity
def ship(order: Order) -> str:
    return f"parcel-{order.id}"


@workflow(signals=[review])
async def process_order(order: Order) -> str:
    async with saga() as undo:
        payment = await charge(order)
        undo.add(refund, payment)
        publish("progress", "in review")
        if await review.wait(timeout=timedelta(hours=24), default="approved") == "rejected":
            await undo.compensate()
            return f"refunded {payment}"
        publish("progress", "in the warehouse")
        await sleep(0.5)
        return await ship(order)
