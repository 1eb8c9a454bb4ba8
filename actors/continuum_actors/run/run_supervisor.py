"""The supervisor of this process's run actors, which also decides which runs are evicted from memory.

Run actors are temporary: one that crashes is not restarted here. Its run is released, and
the process that claims it next replays it from the journal. If this actor dies itself, its runs live
on, and its successor adopts them: they tell it whether they are active. Suspended runs are kept in
memory until there are too many; then those that have been suspended longest are released first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import assert_never

from continuum import guard
from continuum.engine.ids import RunId
from continuum.engine.loop import step_guard
from continuum.journal.announced_run import FirstWrite
from continuum.journal.port import ClaimedRun, InboxRow, StoredHistory
from continuum_actors.host.host import Host
from continuum_actors.host.messages import (
    Activated,
    Release,
    ReleaseAll,
    ReportState,
    StartRun,
    Suspended,
    ToRunSupervisor,
)
from continuum_actors.run.run import Run
from continuum_supervision import NORMAL, ActorRef, DynamicSupervisor, ExitReason, is_abnormal

_RELEASE = Release()
_RELEASE_ALL = ReleaseAll()
_REPORT_STATE = ReportState()


class RunSupervisor(DynamicSupervisor):
    """Holds every live run of this process."""

    def __init__(self, host: Host) -> None:
        super().__init__(on_down=self._run_ended, registry=host.registry, shutdown=None, hand_over=True)
        self._host = host
        self._active: set[ActorRef] = set()
        self._suspended: OrderedDict[ActorRef, None] = OrderedDict()

    def init(self) -> None:
        super().init()
        guard.install()
        self._host.runs = self
        left = self._host.live_runs()
        if left:
            # Active until they say otherwise: too little room for a moment is better than too much.
            self._active.update(left)
            self.adopt(left)
            self._host.dispatcher.lost_track()
            for run in left:
                run.cast(_REPORT_STATE)

    async def terminate(self, reason: ExitReason) -> None:
        await super().terminate(reason)
        if not is_abnormal(reason):
            step_guard.active.rest()

    def handle_cast(self, message: ToRunSupervisor) -> None:
        """Do what the method of the message's name does, later."""
        match message:
            case StartRun(claim, history, mail, first):
                self.start_run(claim, history, mail, first)
            case Activated(run):
                self.activated(run)
            case Suspended(run):
                self.suspended(run)
            case ReleaseAll():
                for ref in self.which_children():
                    ref.cast(_RELEASE)
            case never:
                assert_never(never)

    def start_run(
        self,
        claim: ClaimedRun,
        history: StoredHistory,
        mail: Sequence[InboxRow],
        first: FirstWrite | None = None,
    ) -> None:
        """Start the actor of a run; it has made its first step when this returns.

        The run is claimed, or its first write takes or creates it as `first` says.
        """
        host = self._host
        workflow = host.code.workflow_for(claim.workflow, claim.version)
        if claim.attempt == 1:
            host.measures.run_claimed((host.journal.now() - claim.started_at) / 1e6)
        run = Run(host, claim, workflow, first)
        self.start_child_nowait(run, name=claim.id, init=partial(run.resume, history, mail))

    def whereis(self, run_id: str) -> ActorRef | None:
        """Return the live actor of a run."""
        return self._host.registry.whereis(run_id)

    def live_run_ids(self) -> list[RunId]:
        """Return the ids of the runs that are live here."""
        # By the registry: between two supervisors the live runs have no supervisor.
        return [RunId(str(ref.name)) for ref in self._host.live_runs()]

    def activated(self, run: ActorRef) -> None:
        """The run has something under way here."""
        self._suspended.pop(run, None)
        self._active.add(run)

    def suspended(self, run: ActorRef) -> None:
        """The run only waits; have the oldest such run released when there are too many."""
        self._active.discard(run)
        self._suspended[run] = None
        if len(self._suspended) > self._host.settings.live_suspended_runs:
            oldest, _ = self._suspended.popitem(last=False)
            oldest.cast(_RELEASE)
        self._host.dispatcher.has_room()

    def room(self) -> int:
        """Return how many more runs may be active here."""
        return self._host.settings.active_runs - len(self._active)

    def release_all(self) -> None:
        """Have every run released as soon as it has nothing under way here."""
        self.ref.cast(_RELEASE_ALL)

    def _run_ended(self, run: ActorRef, reason: ExitReason) -> None:
        self._active.discard(run)
        self._suspended.pop(run, None)
        if reason is not NORMAL and self.ref.alive:
            self._host.dispatcher.run_crashed(RunId(str(run.name)))
        self._host.dispatcher.has_room()
