"""The journal that ends with its process: for tests, and for applications that need no durability.

It keeps every promise of `port.py` except P4. Its parts share the tables of `tables.py`, one
noun a file: workers, claims, families, commits, inbox, tasks, versions, queries, retention.
No method awaits, so each is a transaction. The clock is injected, so a virtual clock also
moves leases and due times.
"""

from __future__ import annotations

from continuum.journal.connection_room import ConnectionRoom
from continuum.journal.memory.claims import MemoryClaims
from continuum.journal.memory.commits import MemoryCommits
from continuum.journal.memory.forked_runs import MemoryForks
from continuum.journal.memory.health import MemoryHealth
from continuum.journal.memory.history_parts import MemoryHistoryParts
from continuum.journal.memory.looks import MemoryLooks
from continuum.journal.memory.operations import MemoryOperations
from continuum.journal.memory.pauses import MemoryPauses
from continuum.journal.memory.repairs import MemoryRepairs
from continuum.journal.memory.secrets import MemorySecrets
from continuum.journal.memory.situations import MemorySituations
from continuum.journal.memory.snapshots import MemorySnapshots
from continuum.journal.memory.stats import MemoryStatistics
from continuum.journal.memory.suspects import MemorySuspects
from continuum.journal.memory.tasks import MemoryTasks
from continuum.journal.memory.versions import MemoryVersions
from continuum.journal.memory.views import MemoryViews
from continuum.journal.memory.workers import MemoryWorkers
from continuum.journal.memory.workload import MemoryWorkload


class MemoryJournal(
    MemoryRepairs,
    MemoryOperations,
    MemoryHealth,
    MemoryLooks,
    MemoryPauses,
    MemorySituations,
    MemoryWorkers,
    MemorySuspects,
    MemoryCommits,
    MemoryClaims,
    MemoryForks,
    MemoryTasks,
    MemoryVersions,
    MemorySnapshots,
    MemoryStatistics,
    MemorySecrets,
    MemoryViews,
    MemoryHistoryParts,
    MemoryWorkload,
):
    """A journal for one process and one asyncio loop; `clock` returns microseconds since the epoch."""

    async def open(self) -> None:
        """Do nothing: there is no connection."""

    async def connection_room(self) -> ConnectionRoom | None:
        """Return None: there is no server."""
        return None

    def open_connections(self) -> int:
        """Return 0: there is no server."""
        return 0

    async def close(self) -> None:
        """End every iteration over notifications; what is stored stays."""
        self._notifications.close()
