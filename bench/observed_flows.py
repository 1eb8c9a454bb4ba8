"""Runs that the observer shows: one that ends, one that fails, one that waits, one that sleeps."""

from __future__ import annotations

from datetime import timedelta

import continuum
from continuum import Signal, activity, workflow

approve = Signal("approve", str)


@activity(name="observed.charge")
async def charge(order: str, card: str) -> str:
    """Charge, unless the card is declined."""
    if card == "declined":
        raise ValueError("the card is declined")
    return f"payment of {order}"


@workflow(name="observed.shipped")
async def shipped(order: str) -> str:
    """End."""
    return await charge(order, "good")


@workflow(name="observed.declined")
async def declined(order: str) -> str:
    """Fail."""
    return await charge(order, "declined")


@workflow(name="observed.waiting", signals=[approve])
async def waiting(order: str) -> str:
    """Wait for a signal."""
    return await approve.wait()


@workflow(name="observed.resting")
async def resting(order: str) -> str:
    """Sleep for a month."""
    await continuum.sleep(timedelta(days=30))
    return order
