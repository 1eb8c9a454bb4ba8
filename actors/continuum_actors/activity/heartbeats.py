"""Heartbeats of running attempts: collected, and written to the journal a few times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from continuum.engine.ids import RunId
from continuum_actors.activity.background_tasks import BackgroundTasks
from continuum_actors.host import limits
from continuum_actors.host.host import Host


class Heartbeats:
    """The latest details of each attempt; `unwanted` is called for one whose task is gone."""

    __slots__ = ("_details", "_host", "_tasks", "_unwanted", "_writing")

    def __init__(
        self, host: Host, tasks: BackgroundTasks, unwanted: Callable[[RunId, int], None] | None = None
    ) -> None:
        self._host = host
        self._tasks = tasks
        self._unwanted = unwanted
        self._details: dict[tuple[RunId, int], bytes] = {}
        self._writing = False

    def record(self, run_id: RunId, seq: int, details: bytes) -> None:
        """Have an attempt's details written soon; later details replace those not yet written."""
        self._details[run_id, seq] = details
        if not self._writing:
            self._writing = True
            self._tasks.start(self._write())

    async def _write(self) -> None:
        try:
            while self._details:
                batch, self._details = self._details, {}
                for (run_id, seq), details in batch.items():
                    wanted = await self._host.journal.heartbeat(run_id, seq, details)
                    if not wanted and self._unwanted is not None:
                        self._unwanted(run_id, seq)
                await asyncio.sleep(limits.HEARTBEAT_FLUSH_SECONDS)
        finally:
            self._writing = False
