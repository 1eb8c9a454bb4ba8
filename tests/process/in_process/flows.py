"""What the host applications of these tests execute."""

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
    """Run in the host application's loop."""
    return f"payment {number}"


@activity(name="embedding.ship")
def ship(payment: str) -> str:
    """Run in a thread."""
    assert threading.current_thread() is not threading.main_thread()
    return f"shipped for {payment}"


@activity(name="embedding.pack", queue="packing")
async def pack(parcel: str) -> str:
    """Go through the table of tasks."""
    return f"packed, {parcel}"


@workflow(name="embedding.order")
async def order(number: int) -> str:
    """Charge, wait for a word, rest, ship."""
    payment = await charge(number)
    said = await go.wait()
    await continuum.sleep(0.02)
    return f"{said}: {await ship(payment)}"


@workflow(name="embedding.packing")
async def packing(parcel: str) -> str:
    """Do one queued thing."""
    return await pack(parcel)


@activity(name="embedding.gated")
async def gated(name: str) -> str:
    """Say that it began, and wait until the test lets it end."""
    begun.append(name)
    await gates[name].wait()
    return name


@workflow(name="embedding.patient")
async def patient(name: str) -> str:
    """Do one long thing."""
    return await gated(name)


@workflow(name="embedding.resting")
async def resting(seconds: float) -> None:
    """Do nothing for a while."""
    await continuum.sleep(seconds)


@workflow(name="embedding.grandchild")
async def grandchild(number: int) -> int:
    """Do what a family is for."""
    return number + 1


@workflow(name="embedding.child")
async def child(number: int) -> int:
    """Have it done."""
    return await grandchild(number)


@workflow(name="embedding.mother")
async def mother(number: int) -> int:
    """Have it done by others, whom nobody but her code names."""
    return await child(number)


def shipped(number: int, said: str = "yes") -> str:
    """What an order of this number returns."""
    return f"{said}: shipped for payment {number}"
