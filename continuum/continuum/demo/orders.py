"""The workflow of the demo: validate, charge, wait for a review, pack, ship; or refund."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

import continuum
from continuum.definitions.activity import activity
from continuum.definitions.signal import Signal
from continuum.definitions.workflow import workflow
from continuum.demo.ledger import record

# How long a reviewer may take; an order that nobody reviews then continues. Rejections are sent
# within the first second, so that none comes too late on a slow machine.
REVIEW_TIMEOUT = timedelta(seconds=4)
PACKING_SECONDS = 1.5
# Seconds before an activity acts, and seconds before it then returns. A kill between the two leaves an
# effect that is not journaled, and the activity runs again.
VALIDATING_SECONDS = 0.05
BANKING_SECONDS = 0.1, 0.3
SHIPPING_SECONDS = 0.01, 0.01


@dataclass(frozen=True)
class Order:
    """One order, and the ledger its activities write to. The amount is in cents."""

    number: int
    amount: int
    ledger: str


review = Signal("review", str)


@activity(name="demo.validate")
async def validate(order: Order) -> int:
    """Return the amount to pay; runs in the loop of the run host."""
    await asyncio.sleep(VALIDATING_SECONDS)
    record(order.ledger, order.number, "validate")
    return order.amount


def _act(order: Order, activity: str, takes: tuple[float, float]) -> None:
    before, after = takes
    time.sleep(before)
    record(order.ledger, order.number, activity)
    time.sleep(after)


@activity(name="demo.charge")
def charge(order: Order, amount: int) -> str:
    """Take the money; runs in a thread of the run host."""
    _act(order, "charge", BANKING_SECONDS)
    return f"payment-{order.number}-{amount}"


@activity(name="demo.refund")
def refund(order: Order, payment: str) -> None:
    """Give the money back."""
    _act(order, "refund", BANKING_SECONDS)


@activity(name="demo.ship", executor="process")
def ship(order: Order, payment: str) -> str:
    """Send the parcel; runs in the activity host."""
    _act(order, "ship", SHIPPING_SECONDS)
    return f"shipped for {payment}"


@workflow(name="demo.order", signals=[review])
async def process_order(order: Order) -> str:
    """Process an order to its end, whatever dies on the way."""
    amount = await validate(order)
    async with continuum.saga() as saga:
        payment = await charge(order, amount)
        saga.add(refund, order, payment)
        verdict = await review.wait(timeout=REVIEW_TIMEOUT, default="approved")
        if verdict == "rejected":
            await saga.compensate()
            return f"refunded {payment}"
        await continuum.sleep(PACKING_SECONDS)
        return await ship(order, payment)
