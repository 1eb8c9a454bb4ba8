"""Runs that mail has woken, announced to this process alone: resumed before they are owned.

One statement reads such a run with its history and its mail. The code is replayed and continues, which is
invisible from outside, and the first write takes the run (`RunWrite.takes`). Whatever cannot be resumed
here is left to claims.
"""

from __future__ import annotations

import asyncio
from itertools import islice

from continuum.engine.ids import RunId
from continuum.journal.parked_run import ParkedRun
from continuum.journal.port import StoredHistory
from continuum_actors.host.host import Host
from continuum_actors.run.unowned_start import start_unowned

# So many are read with one statement; their code runs in one turn of the loop.
RUNS_PER_TURN = 32


class ResumedRuns:
    """Resumes runs, as a loop of the dispatcher."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._announced: dict[RunId, None] = {}
        self._wanted = asyncio.Event()

    def announced(self, run_id: RunId) -> None:
        """A run has mail, announced to this process alone."""
        self._announced[run_id] = None
        self._wanted.set()

    async def resume_for_ever(self) -> None:
        """Resume the runs that are announced."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._announced:
                await self._host.writer.caught_up()
                run_ids = list(islice(self._announced, RUNS_PER_TURN))
                for run_id in run_ids:
                    del self._announced[run_id]
                await self._resume(run_ids)
                await asyncio.sleep(0)

    async def _resume(self, run_ids: list[RunId]) -> None:
        host = self._host
        if not host.takes_announced_runs():
            await host.journal.announce_work()
            return
        found = await host.journal.parked([run_id for run_id in run_ids if host.runs.whereis(run_id) is None])
        foreign = [parked for parked in found if not self._serves(parked)]
        left = len(found) < len(run_ids)
        for parked in found:
            if self._serves(parked):
                left = not self._start(parked) or left
        if foreign:
            await host.journal.announce_work()
        elif left:
            # One that is live here may be about to leave; one that could not be read is claimed as any other.
            host.dispatcher.look()

    def _serves(self, parked: ParkedRun) -> bool:
        claim = parked.claim
        return self._host.code.knows(claim.workflow, claim.version) and self._host.serves(claim.namespace)

    def _start(self, parked: ParkedRun) -> bool:
        """Start the actor of a run; False if it is left to claims."""
        if self._host.runs.whereis(parked.claim.id) is not None:
            return False
        history = StoredHistory(None, parked.events)
        return start_unowned(self._host, parked.claim, history, parked.mail, parked.resumed)
