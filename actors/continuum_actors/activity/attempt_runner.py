"""Runs attempts together with what the journal keeps for them: idempotency keys and last heartbeats."""

from __future__ import annotations

import asyncio

from continuum.engine.ids import RunId
from continuum_actors.activity.attempt import Attempt, HardKill
from continuum_actors.host.host import Host
from continuum_supervision import Clock


class AttemptRunner:
    """Runs the attempts of one actor. With `kill`, the process ends when an attempt is out of time."""

    __slots__ = ("_clock", "_host", "_kill", "_reading")

    def __init__(self, host: Host, clock: Clock, kill: HardKill | None = None) -> None:
        self._host = host
        self._clock = clock
        self._kill = kill
        # Reads of heartbeats that are about to begin, by run.
        self._reading: dict[RunId, asyncio.Task[dict[int, bytes]]] = {}

    async def result_of(self, attempt: Attempt, *, started_before: bool = False) -> bytes:
        """Run an attempt and return its encoded result; raises what the activity raises.

        One that was `started_before` sees what it has recorded until then.
        """
        journal = self._host.journal
        if started_before:
            attempt.context.resume_from((await self._heartbeats_of(attempt.run_id)).get(attempt.seq))
        if attempt.key is None:
            return await self._run(attempt)
        name = attempt.definition.name
        known = await journal.find_result(name, attempt.key)
        if known is not None:
            return known
        result = await self._run(attempt)
        return await journal.record_result(name, attempt.key, attempt.run_id, result)

    async def _run(self, attempt: Attempt) -> bytes:
        return await attempt.run(self._host, self._kill, self._clock)

    async def _heartbeats_of(self, run_id: RunId) -> dict[int, bytes]:
        """Read the last heartbeats of a run; its attempts that resume together share one query."""
        reading = self._reading.get(run_id)
        if reading is None:
            reading = asyncio.get_running_loop().create_task(self._read_heartbeats(run_id))
            self._reading[run_id] = reading
        return await asyncio.shield(reading)

    async def _read_heartbeats(self, run_id: RunId) -> dict[int, bytes]:
        # An attempt that resumes once the query is under way needs its own: a failure may lie between.
        del self._reading[run_id]
        return await self._host.journal.last_heartbeats(run_id)
