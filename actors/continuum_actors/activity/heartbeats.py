"""Heartbeats of running attempts: collected, and written to the journal a few times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

from continuum.engine.ids import RunId
from continuum_actors.activity.background_tasks import BackgroundTasks
from continuum_actors.host import limits
from continuum_actors.host.host import Host


class Heartbeats:
    """The latest details of each attempt; `unwanted` is called for one whose task is gone."""

    __slots__ = ("_details", "_host", "_lock", "_tasks", "_unwanted", "_writing")

    def __init__(
        self, host: Host, tasks: BackgroundTasks, unwanted: Callable[[RunId, int], None] | None = None
    ) -> None:
        self._host = host
        self._tasks = tasks
        self._unwanted = unwanted
        self._details: dict[tuple[RunId, int], bytes] = {}
        self._lock = asyncio.Lock()
        self._writing = False

    def record(self, run_id: RunId, seq: int, details: bytes) -> None:
        """Have an attempt's details written soon; later details replace those not yet written."""
        self._details[run_id, seq] = details
        if not self._writing:
            self._writing = True
            # In an empty context: it writes for other attempts too.
            Context().run(self._tasks.start, self._write())

    async def flush(self, run_id: RunId, seq: int) -> None:
        """Return once the attempt's latest details are written: its failure must not overtake them."""
        # One write at a time: an older write on another connection could replace a newer one.
        async with self._lock:
            details = self._details.pop((run_id, seq), None)
            if details is None:
                return
            wanted = await self._host.journal.heartbeat(run_id, seq, details)
        if not wanted and self._unwanted is not None:
            self._unwanted(run_id, seq)

    async def _write(self) -> None:
        try:
            while self._details:
                for run_id, seq in tuple(self._details):
                    await self.flush(run_id, seq)
                await asyncio.sleep(limits.HEARTBEAT_FLUSH_SECONDS)
        finally:
            self._writing = False
