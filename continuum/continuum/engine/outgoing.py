"""What a run tells others with its next commit: children to start and to stop, values to show.

Each entry keeps the seq of its command, so that a step that went wrong can be taken back whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from continuum.engine.call_site import Site
from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.engine.pending import PendingChild

if TYPE_CHECKING:
    from continuum.engine.execution import Execution


@dataclass(slots=True)
class Announcements:
    """In the order the code asked: started children, (seq, child) to stop, (seq, name, value) to show."""

    children: list[PendingChild] = field(default_factory=list)
    cancels: list[tuple[int, RunId]] = field(default_factory=list)
    cells: list[tuple[int, str, bytes]] = field(default_factory=list)

    def without(self, seqs: set[int]) -> Announcements:
        """Return what other commands than these have asked for."""
        return Announcements(
            [child for child in self.children if child.seq not in seqs],
            [entry for entry in self.cancels if entry[0] not in seqs],
            [entry for entry in self.cells if entry[0] not in seqs],
        )


def announcements(execution: Execution) -> Announcements:
    """Return where to note what the run's next commit is to tell others."""
    announced = execution.announced
    if announced is None:
        announced = execution.announced = Announcements()
    return announced


def publish(execution: Execution, name: str, site: Site, value: bytes) -> None:
    """Show a value to whoever looks, once the commit that carries this is durable."""
    recorded = execution.replaying
    event = execution.command(EventType.STATE_PUBLISHED, name, site, ())
    if not recorded:
        announcements(execution).cells.append((event.seq, name, value))
