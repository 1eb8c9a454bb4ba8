"""Stand-ins for children that were left out: they accept requests and do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from continuum.engine.ids import RunId
from continuum.journal.announced_run import AnnouncedRun
from continuum.journal.port import ClaimedRun, ClaimedTask
from continuum_actors.host.messages import TakeSnapshot


class NoDispatcher:
    """Claims no run: this process serves queues and its clients."""

    def look(self) -> None:
        """Leave the runs that can be claimed to other processes."""

    def begin(self, announced: AnnouncedRun) -> None:
        """Leave the run to others."""

    def resume(self, run_id: RunId) -> None:
        """Leave the run to others."""

    def expect(self, due: int) -> None:
        """Leave the run that is due then to other processes."""

    def has_room(self) -> None:
        """There is always room: no run is live here."""

    async def start_all(self, claims: Sequence[ClaimedRun]) -> None:
        """No run is claimed here."""

    def run_crashed(self, run_id: RunId) -> None:
        """No run is live here that could crash."""

    def lost_track(self) -> None:
        """No run was claimed here."""

    def replay_events(self, claim: ClaimedRun) -> None:
        """No run was claimed here that could be replayed."""


class NoActivityDispatcher:
    """Claims no activity task: only the activities of the runs that are live here run in this process."""

    busy = False

    def lease_taken(self) -> None:
        """The lease is of no use to claim tasks."""

    def look_for_work(self) -> None:
        """Leave the tasks to other processes."""

    def known(self) -> Sequence[tuple[RunId, int]]:
        """No task is claimed here."""
        return ()

    def start(self, task: ClaimedTask) -> asyncio.Task[None]:
        """No task is claimed here."""
        raise AssertionError("a process without an activity dispatcher claims no task")


class NoSnapshotter:
    """Takes no snapshot: every run is replayed from its whole history."""

    def take(self, wanted: TakeSnapshot) -> None:
        """Let the history grow."""
