"""Trials: runs suspects, a few together and then each alone, until the one that kills its process shows.

In a node of processes it runs in a quarantine host, which claims nothing else, so that a suspect takes nobody
with it. In an application it runs beside the dispatcher, and at most one group is on trial at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from continuum.engine.ids import RunId
from continuum.journal.port import ClaimedRun
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LeasedActor
from continuum_supervision import ActorRef, ExitReason


class Trials(LeasedActor):
    """Claims suspects, lets them run, and acquits those that their process survives."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._working: asyncio.Task[None] | None = None
        # The runs of workflows that are kept apart: while one lives here, no suspect is alone.
        self._deadly: list[ActorRef] = []

    def init(self) -> None:
        self._working = self.start_loop(self._work())

    async def terminate(self, reason: ExitReason) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        while True:
            tried = False
            if not self._host.draining:
                tried = self._host.takes_deadly and await self._try_deadly()
                self._deadly = [run for run in self._deadly if run.alive]
                if self._host.claims or not self._deadly:
                    # One after the other: neither may die of the other.
                    tried = await self._try_runs() or tried
                    tried = await self._try_task() or tried
            if not tried:
                await asyncio.sleep(limits.NEXT_TRIAL_SECONDS * (0.75 + self._host.random_fraction() / 2))

    async def _try_deadly(self) -> bool:
        """Run what is kept apart because some of its workflow has killed processes."""
        host = self._host
        host.one_on_trial = False
        claims = await host.journal.claim_deadly(
            host.registered_worker(),
            host.code.loaded,
            limits.CLAIM_BATCH,
            known=host.runs.live_run_ids,
            namespaces=host.settings.namespaces,
        )
        if claims:
            await host.dispatcher.start_all(claims)
            self._deadly += self._live(claims)
        return bool(claims)

    def _live(self, claims: Sequence[ClaimedRun]) -> list[ActorRef]:
        """Return the actors of these runs that have not ended yet."""
        return [run for claim in claims if (run := self._host.runs.whereis(claim.id)) is not None]

    async def _try_runs(self) -> bool:
        host = self._host
        claims = await host.journal.claim_suspects(
            host.registered_worker(),
            host.code.loaded,
            known=host.runs.live_run_ids,
            namespaces=host.settings.namespaces,
        )
        host.one_on_trial = len(claims) == 1
        if claims:
            await host.dispatcher.start_all(claims)
            await self._until_settled(claims)
            await host.journal.acquit([(claim.id, None) for claim in claims])
        return bool(claims)

    async def _until_settled(self, claims: Sequence[ClaimedRun]) -> None:
        """Wait until the runs have left this process, or have survived their trial."""
        live = self._live(claims)
        if not live:
            return
        waiting = [asyncio.create_task(run.wait()) for run in live]
        try:
            await asyncio.wait(waiting, timeout=limits.TRIAL_SECONDS)
        finally:
            for wait in waiting:
                wait.cancel()

    async def _try_task(self) -> bool:
        host = self._host
        tasks = await host.journal.claim_suspected_task(
            host.registered_worker(),
            list(host.code.activities),
            known=host.tasks.known,
            namespaces=host.settings.namespaces,
        )
        tried: list[tuple[RunId, int | None]] = [(task.run_id, task.seq) for task in tasks]
        for task in tasks:
            trace, running = host.tasks.start(task)
            host.pulse.on_trial(trace)
            try:
                await asyncio.wait([running], timeout=limits.TRIAL_SECONDS)
            finally:
                host.pulse.on_trial(None)
        if tried:
            await host.journal.acquit(tried)
        return bool(tried)
