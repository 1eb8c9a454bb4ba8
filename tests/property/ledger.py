"""What activities do to the world, recorded outside every journal, and compared with journals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Ledger:
    """The real executions of activities, and what is journaled of their calls.

    `early` holds executions before their command was journaled, `again` those after their end was.
    `claimable` holds the calls that are being journaled as tasks: who executes one has found it in the
    journal, even if the answer to the commit is still on its way to the run that asked.
    """

    executed: Counter[tuple[str, int]] = field(default_factory=Counter)
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)
    claimable: set[tuple[str, int]] = field(default_factory=set)
    answered: set[tuple[str, int]] = field(default_factory=set)
    early: list[tuple[str, int]] = field(default_factory=list)
    again: list[tuple[str, int]] = field(default_factory=list)

    def note(self, name: str, number: int) -> int:
        """Count an execution; return the number of earlier ones."""
        key = (name, number)
        if key not in self.asked and key not in self.claimable:
            self.early.append(key)
        if key in self.answered:
            self.again.append(key)
        self.executed[key] += 1
        return self.executed[key] - 1

    def clear(self) -> None:
        """Clear everything for a new world."""
        for kept in (self.executed, self.asked, self.claimable, self.answered, self.early, self.again):
            kept.clear()


ledger = Ledger()
