"""The snapshotter: keeps copies of long histories that load as one row.

One at a time and never in anybody's way: what fails is logged and left, the events
themselves are all that a run needs.
"""

from __future__ import annotations

import asyncio
import logging

from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum_actors.host import Host
from continuum_supervision import Actor

log = logging.getLogger("continuum.snapshotter")

# Packing a long history keeps the loop busy; runs get a turn between two of them.
PAUSE_SECONDS = 0.05


class Snapshotter(Actor):
    """Takes snapshots of the runs whose ids it is cast."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def init(self) -> None:
        self._host.snapshotter = self

    async def handle_cast(self, message: RunId) -> None:
        """Copy the history of a run that has grown."""
        journal = self._host.journal
        try:
            events = (await journal.load([message]))[message]
            if events and events[-1].seq == len(events) - 1:
                await journal.save_snapshot(message, events)
        except JournalUnavailable as error:
            log.info("no snapshot of run %s this time: %s", message, error)
        await asyncio.sleep(PAUSE_SECONDS)
