"""The workflows and activities of these tests."""

from __future__ import annotations

import asyncio
import threading

import continuum
from continuum import Signal, activity, workflow

go = Signal("go", str)
gates: dict[str, asyncio.Event] = {}
begun: list[str] = []


@activity(name="embedding.charge")
async def charge(number: int) -> str:
    """Run in the application's loop."""
    return f"payment {number}"


@activity(name="embedding.ship")
def ship(payment: str) -> str:
    """Run in a thread."""
    assert threading.current_thread() is not threading.main_thread()
    return f"shipped for {payment}"


@activity(name="embedding.pack", queue="packing")
async def pack(parcel: str) -> str:
    """Run as an activity task."""
    return f"packed, {parcel}"


@workflow(name="embedding.measuring")
async def measuring(text: str) -> int:
    """Return the length of a text."""
    return len(text)


@workflow(name="embedding.order")
async def order(number: int) -> str:
    """Charge, wait for a signal, sleep, ship."""
    payment = await charge(number)
    word = await go.wait()
    await continuum.sleep(0.02)
    return f"{word}: {await ship(payment)}"


@workflow(name="embedding.charging")
async def charging(number: int) -> str:
    """Run one activity in the application's loop."""
    return await charge(number)


@workflow(name="embedding.packing")
async def packing(parcel: str) -> str:
    """Run one activity of a queue."""
    return await pack(parcel)


@activity(name="embedding.gated")
async def gated(name: str) -> str:
    """Record the begin, and wait until the test lets it end."""
    begun.append(name)
    await gates[name].wait()
    return name


@workflow(name="embedding.patient")
async def patient(name: str) -> str:
    """Run one long activity."""
    return await gated(name)


@workflow(name="embedding.resting")
async def resting(seconds: float) -> None:
    """Sleep."""
    await continuum.sleep(seconds)


@workflow(name="embedding.grandchild")
async def grandchild(number: int) -> int:
    """Add one."""
    return number + 1


@workflow(name="embedding.child")
async def child(number: int) -> int:
    """Let a child add one."""
    return await grandchild(number)


@workflow(name="embedding.mother")
async def mother(number: int) -> int:
    """Let a child add one that only this code refers to."""
    return await child(number)


def shipped(number: int, word: str = "yes") -> str:
    """Return the result of an order with this number."""
    return f"{word}: shipped for payment {number}"
