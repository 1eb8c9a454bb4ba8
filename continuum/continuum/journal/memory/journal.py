"""The journal that lives and dies with its process: for tests, and for hosts that need no durability.

It keeps every promise of `port.py` but P4. Its parts share the tables of
`tables.py` and stand one noun a file: workers, claims, families, commits, inbox,
tasks, versions, queries, sweeping. No method awaits, so each is a transaction; time is the injected
clock's, so a virtual clock moves leases and due times too.
"""

from __future__ import annotations

from continuum.journal.memory.claims import MemoryClaims
from continuum.journal.memory.commits import MemoryCommits
from continuum.journal.memory.inbox import MemoryInbox
from continuum.journal.memory.queries import MemoryQueries
from continuum.journal.memory.retention import MemorySweeping
from continuum.journal.memory.snapshots import MemorySnapshots
from continuum.journal.memory.tasks import MemoryTasks
from continuum.journal.memory.versions import MemoryVersions
from continuum.journal.memory.workers import MemoryWorkers


class MemoryJournal(
    MemoryWorkers,
    MemoryClaims,
    MemoryCommits,
    MemoryInbox,
    MemoryTasks,
    MemoryVersions,
    MemoryQueries,
    MemorySnapshots,
    MemorySweeping,
):
    """A journal for one process and one asyncio loop; `clock` gives microseconds since the epoch."""

    async def open(self) -> None:
        """There is nothing to connect to."""

    async def close(self) -> None:
        """End every iteration over notifications; what is stored stays."""
        self._notifications.close()
