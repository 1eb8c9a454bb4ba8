"""The snapshotter: compacts long histories, so that a run that comes back is replayed quickly.

One at a time and never in anybody's way: what fails is logged and left, the events
themselves are all that a run needs.
"""

from __future__ import annotations

import asyncio
import logging

from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import WorkingActor
from continuum_actors.host.messages import Compacted, TakeSnapshot
from continuum_supervision import ExitReason

log = logging.getLogger("continuum.snapshotter")

# Reading a long history keeps the loop busy; runs get a turn between two of them.
PAUSE_SECONDS = 0.05


class Snapshotter(WorkingActor):
    """Takes the snapshots it is asked for, and tells the runs how far they reach."""

    def __init__(self, host: Host) -> None:
        self._host = host
        # Not the mailbox: who is to stop must not have to take all of them first.
        self._wanted: dict[RunId, TakeSnapshot] = {}
        self._asked = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    def init(self) -> None:
        self._host.snapshotter = self
        self._working = self.begin_work(self._work())

    def handle_cast(self, message: TakeSnapshot) -> None:
        """Note that a run's history has grown; of two requests of one run the later says it all."""
        self._wanted[message.run_id] = message
        self._asked.set()

    async def terminate(self, reason: ExitReason) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._wanted:
                await self._take(self._wanted.pop(next(iter(self._wanted))))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _take(self, wanted: TakeSnapshot) -> None:
        """Compact what a run's history has grown by."""
        run, run_id, version, first = wanted
        try:
            run.cast(Compacted(await self._host.journal.take_snapshot(run_id, version, first)))
        except JournalUnavailable as error:
            log.info("no snapshot of run %s this time: %s", run_id, error)
        except Exception:
            log.exception("no snapshot of run %s: its events are replayed instead", run_id)
