"""What activities do to the world, kept outside every journal, and what journals say of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ledger:
    """What activities have really done, outside every journal, beside what is journaled of their calls.

    `early` was done before it was asked for in a journal, `again` although its end is in one.
    """

    executed: Counter[tuple[str, int]] = field(default_factory=Counter)
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)
    answered: set[tuple[str, int]] = field(default_factory=set)
    early: list[tuple[str, int]] = field(default_factory=list)
    again: list[tuple[str, int]] = field(default_factory=list)

    def note(self, name: str, number: int) -> int:
        """Count an execution; return how many there were before."""
        key = (name, number)
        if key not in self.asked:
            self.early.append(key)
        if key in self.answered:
            self.again.append(key)
        self.executed[key] += 1
        return self.executed[key] - 1

    def clear(self) -> None:
        """Forget everything: a new world begins."""
        for kept in (self.executed, self.asked, self.answered, self.early, self.again):
            kept.clear()


ledger = Ledger()
