"""The supervisor of this process's run actors, and which of them may leave memory.

Run actors are temporary: one that crashes is not restarted here, its run is
released and taken up from the journal by whoever claims it. Parked runs are
kept until there are too many, then the longest parked go first.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence

from continuum import guard
from continuum.engine.ids import RunId
from continuum.engine.loop import step_guard
from continuum.journal.port import ClaimedRun, InboxRow, StoredHistory
from continuum_actors.host import messages as say
from continuum_actors.host.host import Host
from continuum_actors.run.run import Run
from continuum_supervision import NORMAL, ActorRef, DynamicSupervisor, ExitReason

log = logging.getLogger("continuum.runs")

_HAND_OVER = say.HandOver()


class RunSupervisor(DynamicSupervisor):
    """Holds every live run of this process."""

    def __init__(self, host: Host) -> None:
        super().__init__(on_down=self._run_ended, registry=host.registry, shutdown=None)
        self._host = host
        self._active: set[ActorRef] = set()
        self._parked: OrderedDict[ActorRef, None] = OrderedDict()

    def init(self) -> None:
        super().init()
        guard.install()
        self._host.runs = self

    async def terminate(self, reason: ExitReason) -> None:
        await super().terminate(reason)
        step_guard.active.rest()

    def start_run(self, claim: ClaimedRun, history: StoredHistory, mail: Sequence[InboxRow]) -> None:
        """Bring a claimed run to life; it runs its first step before this returns."""
        workflow = self._host.code.workflow_for(claim.workflow, claim.version)
        self.start_child_nowait(Run(self._host, claim, workflow, history, mail), name=claim.id)

    def whereis(self, run_id: str) -> ActorRef | None:
        """Return the live actor of a run."""
        return self._host.registry.whereis(run_id)

    def live_run_ids(self) -> list[RunId]:
        """Return the ids of the runs that are live here."""
        return [RunId(str(ref.name)) for ref in self.which_children() if ref.alive]

    def activated(self, run: ActorRef) -> None:
        """Note that something of the run goes on here."""
        self._parked.pop(run, None)
        self._active.add(run)

    def parked(self, run: ActorRef) -> None:
        """Note that the run only waits; make room when too many do."""
        self._active.discard(run)
        self._parked[run] = None
        if len(self._parked) > self._host.settings.live_parked_runs:
            oldest, _ = self._parked.popitem(last=False)
            oldest.cast(_HAND_OVER)
        self._host.dispatcher.has_room()

    def blocked(self, claim: ClaimedRun, reason: str | None) -> None:
        """Say that a run waits for an operator; nobody else would."""
        log.warning("run %s of %s is blocked: %s", claim.id, claim.workflow, reason)

    def refused(self, claim: ClaimedRun, reason: str) -> None:
        """Say that a run waits for a node that has other code than this one."""
        log.warning("run %s of %s does not fit the code loaded here: %s", claim.id, claim.workflow, reason)

    def room(self) -> int:
        """How many more runs may be in motion here."""
        return self._host.settings.active_runs - len(self._active)

    def hand_over(self) -> None:
        """Ask every run to give itself up as soon as nothing of it goes on here."""
        for ref in self.which_children():
            ref.cast(_HAND_OVER)

    def _run_ended(self, run: ActorRef, reason: ExitReason) -> None:
        self._active.discard(run)
        self._parked.pop(run, None)
        if reason is not NORMAL and self.ref.alive:
            self._host.dispatcher.ref.cast(say.RunCrashed(RunId(str(run.name))))
        self._host.dispatcher.has_room()
