"""The snapshotter: compacts long histories, so that a run that comes back is replayed quickly.

One at a time and never in anybody's way: what fails is logged and left, the events
themselves are all that a run needs.
"""

from __future__ import annotations

import asyncio
import logging

from continuum.errors import JournalUnavailable
from continuum_actors.host import Host
from continuum_actors.messages import Compacted, TakeSnapshot
from continuum_supervision import Actor

log = logging.getLogger("continuum.snapshotter")

# Reading a long history keeps the loop busy; runs get a turn between two of them.
PAUSE_SECONDS = 0.05


class Snapshotter(Actor):
    """Takes the snapshots it is asked for, and tells the runs how far they reach."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def init(self) -> None:
        self._host.snapshotter = self

    async def handle_cast(self, message: TakeSnapshot) -> None:
        """Compact what a run's history has grown by."""
        run, run_id, version, first = message
        try:
            run.cast(Compacted(await self._host.journal.take_snapshot(run_id, version, first)))
        except JournalUnavailable as error:
            log.info("no snapshot of run %s this time: %s", run_id, error)
        await asyncio.sleep(PAUSE_SECONDS)
