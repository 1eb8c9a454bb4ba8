"""Changed versions of `flows.order_flow`, as later deploys might have them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from continuum import Workflow, workflow
from tests.unit.testing import flows

Changed = Callable[[str], Coroutine[Any, Any, str]]


def changed(fn: Changed) -> Workflow[[str], str]:
    """Give a function the name that the journal has."""
    fn.__qualname__ = "order_flow"
    fn.__code__ = fn.__code__.replace(co_qualname="order_flow")
    return workflow(name="testing_order")(fn)


@changed
async def hasty(order: str) -> str:
    """Ship before charging."""
    tracked = await flows.ship(order)
    await flows.charge(order, 5)
    return tracked


@changed
async def shorter(order: str) -> str:
    """Return before the history ends."""
    return await flows.charge(order, 5)


@changed
async def longer(order: str) -> str:
    """Call one more activity than the run did."""
    payment = await flows.charge(order, 5)
    try:
        await flows.review.wait(timeout=timedelta(hours=24))
    except TimeoutError:
        pass
    packed, tracked = await asyncio.gather(flows.pack(order), flows.ship(order))
    await flows.refund(payment)
    return f"{tracked} {packed}"


@changed
async def louder(order: str) -> str:
    """Return the result in capitals."""
    await flows.charge(order, 5)
    try:
        await flows.review.wait(timeout=timedelta(hours=24))
    except TimeoutError:
        pass
    packed, tracked = await asyncio.gather(flows.pack(order), flows.ship(order))
    return f"{tracked} {packed}".upper()
