"""What the runs that the observer shows do: a shop with everything that may happen to an order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import continuum
from continuum import Retry, Signal, activity, publish, sleep, workflow

HOSTILE = "<script>document.title='owned'</script>"


@dataclass(frozen=True)
class Order:
    """An order; `fate` says what happens to it."""

    id: str
    fate: str
    card: str = "4242 4242"
    note: str = HOSTILE


approve = Signal("approve", str)


@activity(name="shop.charge")
async def charge(order: Order) -> str:
    """Charge, unless the card is declined."""
    if order.fate == "declined":
        raise ValueError(f"card declined {HOSTILE}")
    return f"payment of {order.id}"


@activity(name="shop.refund")
async def refund(payment: str) -> None:
    """Refund."""


@activity(name="shop.ship", retry=Retry(10, base=300.0, max_backoff=3600.0))
async def ship(order: Order) -> str:
    """Ship, unless the warehouse is closed."""
    if order.fate == "stuck":
        raise TimeoutError("the warehouse does not answer")
    return f"parcel of {order.id}"


@workflow(name="shop.notify")
async def notify(text: str) -> str:
    """Tell the customer."""
    return text


@workflow(name="shop.order", signals=[approve])
async def order_flow(order: Order) -> str:
    """Charge, have it approved, ship."""
    publish("step", "charging")
    async with continuum.saga() as undo:
        undo.add(refund, await charge(order))
        if order.fate == "waits":
            publish("step", "approving")
            await approve.wait(timeout=timedelta(days=1))
        if order.fate == "sleeps":
            await sleep(timedelta(days=1))
        child = await notify.start_child(f"order {order.id}")
        await child
        return await ship(order)
