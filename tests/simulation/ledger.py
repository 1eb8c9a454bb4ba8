"""What the activities of a simulation have really done, outside every journal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable


class Ledger:
    """How often each effect has happened."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    def note(self, effect: str) -> int:
        """Record an effect; return how often it had happened before."""
        before = self.done[effect]
        self.done[effect] += 1
        return before


def _nobody() -> None:
    raise AssertionError("no simulation is running")


class Current:
    """The simulation that runs now: its ledger, and how code ends the process that executes it."""

    ledger = Ledger()
    end_process: Callable[[], None] = staticmethod(_nobody)


def note(effect: str) -> int:
    """Record an effect of an activity; return how often it had happened before."""
    return Current.ledger.note(effect)


async def end_process() -> None:
    """End the process that executes this, as `os._exit` does."""
    Current.end_process()
    await asyncio.get_running_loop().create_future()
