"""What a run's next commit carries to others: children to start or cancel, values to publish, attributes.

Each entry keeps the seq of its command, so that the entries of a failed step can be removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from continuum.engine.ids import RunId
from continuum.engine.pending import PendingChild


@dataclass(slots=True)
class Outgoing:
    """In the order of their commands.

    New children, (seq, child) to cancel, (seq, name, value) to publish, (seq, attributes) to set.
    """

    children: list[PendingChild] = field(default_factory=list)
    cancels: list[tuple[int, RunId]] = field(default_factory=list)
    published: list[tuple[int, str, bytes]] = field(default_factory=list)
    attributes: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)

    def without(self, seqs: set[int]) -> Outgoing:
        """Return the entries of all other commands."""
        return Outgoing(
            [child for child in self.children if child.seq not in seqs],
            [entry for entry in self.cancels if entry[0] not in seqs],
            [entry for entry in self.published if entry[0] not in seqs],
            [entry for entry in self.attributes if entry[0] not in seqs],
        )
