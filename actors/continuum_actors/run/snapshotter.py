"""The snapshotter: compacts long histories, so that their runs are replayed quickly.

It takes one snapshot at a time and blocks nobody: a failure is logged and ignored, because
the events themselves are all that a run needs.
"""

from __future__ import annotations

import asyncio
import logging

from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable, SchemaOutOfDate
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LoopingActor
from continuum_actors.host.messages import Compacted, TakeSnapshot, ToSnapshotter
from continuum_supervision import ExitReason

log = logging.getLogger("continuum.snapshotter")

# Reading a long history keeps the loop busy; runs get a turn between two of them.
PAUSE_SECONDS = 0.05


class Snapshotter(LoopingActor):
    """Takes the snapshots that runs want, and reports to each run how far its snapshot reaches."""

    def __init__(self, host: Host) -> None:
        self._host = host
        # Not the mailbox: an actor that is to stop must not have to work through all of them first.
        self._wanted: dict[RunId, TakeSnapshot] = {}
        self._asked = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    def init(self) -> None:
        self._host.snapshotter = self
        self._working = self.start_loop(self._work())

    def take(self, wanted: TakeSnapshot) -> None:
        """Compact a run's history soon."""
        self.ref.cast(wanted)

    def handle_cast(self, message: ToSnapshotter) -> None:
        """Add a run; of two requests for one run the later includes the earlier."""
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
        """Compact the part of a history that is new since its last snapshot."""
        run, run_id, version, first = wanted
        try:
            run.cast(Compacted(await self._host.journal.take_snapshot(run_id, version, first)))
        except (JournalUnavailable, SchemaOutOfDate) as error:
            log.info("no snapshot of run %s this time: %s", run_id, error, extra={"run_id": run_id})
        except Exception:
            text = "no snapshot of run %s: its events are replayed instead"
            log.exception(text, run_id, extra={"run_id": run_id})
