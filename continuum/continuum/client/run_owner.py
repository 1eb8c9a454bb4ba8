"""`Owner`: the process that owns a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from continuum.journal.facts import RunRow
from continuum.journal.untyped_values import at


@dataclass(frozen=True, slots=True)
class Owner:
    """The process `pid` of `node` has owned a run since it claimed it, `since`.

    It is a snapshot: the run may change its owner at any time, and only the lease decides.
    """

    node: str
    pid: int
    since: datetime

    def __str__(self) -> str:
        return f"process {self.pid} of node {self.node} since {self.since.isoformat(timespec='seconds')}"


def owner_of(row: RunRow) -> Owner | None:
    """Return who owns a run by its row; None if no process does, or if an older node has claimed it."""
    if row.owner_node is None or row.owner_pid is None or row.claimed_at is None:
        return None
    return Owner(row.owner_node, row.owner_pid, at(row.claimed_at))
