"""Trials: runs suspects, a few together and then each alone, until the one that kills its process shows.

In a node of processes it runs in a quarantine host, which claims nothing else, so that a suspect takes nobody
with it. In an application it runs beside the dispatcher, and at most one group is on trial at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from continuum.journal.port import ClaimedRun
from continuum.journal.suspect_port import EarlierDeaths, Place
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LeasedActor
from continuum_actors.host.traces import trace_of_attempt
from continuum_supervision import ActorRef, ExitReason

# An activity that has ended is gone when a quarantine host looks a second time.
LOOKS = 2


def trial_seconds(earlier: EarlierDeaths) -> float:
    """Return how long suspects are watched: if possible, for longer than they had lived at the last death."""
    # A number without end would not fit a float.
    longer: int = limits.LONGER_TRIAL ** min(earlier.after_acquittal, 100)
    wanted = min(limits.PATIENCE_IN_TRIAL * earlier.lived, limits.LONG_TRIAL_SECONDS * longer)
    return min(max(limits.TRIAL_SECONDS * longer, wanted), limits.LONGEST_TRIAL_SECONDS)


class Trials(LeasedActor):
    """Claims suspects, lets them run, and acquits those that their process survives."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._working: asyncio.Task[None] | None = None
        # The runs of workflows that are kept apart: while one lives here, no suspect is alone.
        self._deadly: list[ActorRef] = []
        self._kinds = deque([self._try_runs, self._try_tasks])

    def init(self) -> None:
        self._began = asyncio.get_running_loop().time()
        self._host.pulse.on_trial(None)
        self._working = self.start_loop(self._work())

    async def terminate(self, reason: ExitReason) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])

    async def _work(self) -> None:
        while True:
            journal = self._host.journal
            self._host.suspects_wait.clear()
            # A claim that was given up may have taken the last suspect: only another claim releases it.
            if self._host.draining or not (journal.claims_in_doubt() or await journal.suspects_wait()):
                await self._until_suspects_wait()
            elif not await self._try():
                await asyncio.sleep(self._about(limits.NEXT_TRIAL_SECONDS))

    async def _until_suspects_wait(self) -> None:
        """Wait until others report suspects; in an application that listens nobody does, so for a while."""
        alone = self._host.claims and self._host.settings.listen
        longest = self._about(limits.LOOK_FOR_SUSPECTS_SECONDS) if alone else None
        try:
            async with asyncio.timeout(longest):
                await self._host.suspects_wait.wait()
        except TimeoutError:
            pass

    def _about(self, seconds: float) -> float:
        return seconds * (0.75 + self._host.random_fraction() / 2)

    async def _try(self) -> bool:
        """Try what waits."""
        tried = self._host.takes_deadly and await self._try_deadly()
        self._deadly = [run for run in self._deadly if run.alive]
        if await self._is_ready():
            tried = await self._try_either() or tried
        return tried

    async def _try_either(self) -> bool:
        """Try runs or tasks, not both: neither may die of what the other has left behind. Take turns."""
        for attempt in tuple(self._kinds):
            self._kinds.rotate()
            if await attempt():
                return True
        return False

    async def _is_ready(self) -> bool:
        if self._host.claims:
            return not await self._may_die_of_itself()
        return not self._deadly and await self._is_empty()

    async def _may_die_of_itself(self) -> bool:
        """Whether this application is so young that a death need not be that of a suspect that is alone."""
        age = asyncio.get_running_loop().time() - self._began
        if age >= limits.LONGEST_TRIAL_SECONDS:
            return False
        lived = await self._host.journal.lone_suspects_lived()
        if lived is None:
            return False
        longer = max(limits.APPLICATION_LIVES_SECONDS, limits.APPLICATION_LIVES_LONGER * lived)
        return age < min(longer, limits.LONGEST_TRIAL_SECONDS)

    async def _is_empty(self) -> bool:
        """Whether nothing runs in this quarantine host; if suspects wait beside what does, have it replaced.

        What was acquitted may run for hours, or kill later than its trial has lasted: beside it nobody is
        alone.
        """
        host = self._host
        for _ in range(LOOKS):
            if not (host.runs.which_children() or host.tasks.busy or host.activities.busy or host.leftovers):
                return True
            # A result may be on its way to the journal.
            await asyncio.sleep(limits.NEXT_TRIAL_SECONDS)
        if await host.journal.suspects_wait():
            # It runs again elsewhere, uncounted.
            host.settings = replace(
                host.settings, drain=min(host.settings.drain, limits.CROWDED_DRAIN_SECONDS)
            )
            host.crowded.set()
        return False

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
            tried: list[Place] = [(claim.id, None) for claim in claims]
            host.trial_seconds = trial_seconds(await host.journal.earlier_deaths(tried))
            await host.dispatcher.start_all(claims)
            await self._until_settled(claims)
            await host.journal.acquit(tried)
        return bool(claims)

    async def _until_settled(self, claims: Sequence[ClaimedRun]) -> None:
        """Wait until the runs have left this process, or have survived their trial."""
        live = self._live(claims)
        if not live:
            return
        waiting = [asyncio.create_task(run.wait()) for run in live]
        try:
            await asyncio.wait(waiting, timeout=self._host.trial_seconds)
        finally:
            for wait in waiting:
                wait.cancel()

    async def _try_tasks(self) -> bool:
        host = self._host
        tasks = await host.journal.claim_suspected_tasks(
            host.registered_worker(),
            list(host.code.activities),
            known=host.tasks.known,
            namespaces=host.settings.namespaces,
        )
        if not tasks:
            return False
        tried: list[Place] = [(task.run_id, task.seq) for task in tasks]
        seconds = trial_seconds(await host.journal.earlier_deaths(tried))
        if len(tasks) == 1:
            # A first step may kill.
            host.pulse.on_trial(trace_of_attempt(tasks[0].run_id, tasks[0].seq, tasks[0].dispatch))
        await asyncio.wait([host.tasks.start(task) for task in tasks], timeout=seconds)
        # Not when the loop ends, which it may have brought about.
        host.pulse.on_trial(None)
        await host.journal.acquit(tried)
        return True
