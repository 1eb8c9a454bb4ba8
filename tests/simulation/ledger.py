"""What the activities of a simulation have really done, outside every journal."""

from __future__ import annotations

from collections import Counter


class Ledger:
    """How often each effect has happened."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    def note(self, effect: str) -> int:
        """Record an effect; return how often it had happened before."""
        before = self.done[effect]
        self.done[effect] += 1
        return before


class Current:
    """The ledger of the simulation that runs now."""

    ledger = Ledger()


def note(effect: str) -> int:
    """Record an effect of an activity; return how often it had happened before."""
    return Current.ledger.note(effect)
