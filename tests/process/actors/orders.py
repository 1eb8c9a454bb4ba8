"""The workflow of most tests here: an activity, a signal, a timer, an activity."""

from __future__ import annotations

from collections import Counter

import continuum
from continuum import Signal, activity, workflow

verdict = Signal("verdict", str)
charged: Counter[int] = Counter()


@activity(name="orders.charge")
async def charge(number: int) -> str:
    """Record that it ran."""
    charged[number] += 1
    return f"payment {number}"


@activity(name="orders.ship")
def ship(payment: str) -> str:
    """Run in a thread."""
    return f"shipped for {payment}"


@workflow(name="orders.order")
async def order(number: int, rest: float = 0.05) -> str:
    """Charge, wait for a verdict, rest, ship."""
    payment = await charge(number)
    said = await verdict.wait()
    await continuum.sleep(rest)
    return f"{said}: {await ship(payment)}"


def expected(number: int, said: str = "yes") -> str:
    """Return the result of an order with this number."""
    return f"{said}: shipped for payment {number}"


@workflow(name="orders.counting")
async def counting(steps: int) -> int:
    """Charge the same number many times, one after the other."""
    for _ in range(steps):
        await charge(-1)
    return steps
