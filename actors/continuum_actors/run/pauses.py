"""`Pauses`: tells the live runs of this process that they are paused, and when they may continue.

The journal decides what is paused (P23), and gives no paused run to anybody. What is owned here already must
leave, so this actor asks for it: after a notification, and regularly in case one is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from continuum.engine.ids import RunId
from continuum.journal.pause_facts import PauseScope
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LeasedActor
from continuum_actors.host.messages import LookForPauses, Paused, ToPauses, Unpaused
from continuum_supervision import ActorRef

_PAUSED, _UNPAUSED = Paused(), Unpaused()
_LOOK_FOR_PAUSES = LookForPauses()


class Pauses(LeasedActor):
    """Knows what is paused."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._scopes: Sequence[PauseScope] = ()
        # The live runs that know that they are paused.
        self._told: dict[RunId, ActorRef] = {}
        self._wanted = asyncio.Event()

    def init(self) -> None:
        predecessor, self._host.pauses = self._host.pauses, self
        if isinstance(predecessor, Pauses):
            self._scopes, self._told = predecessor._scopes, predecessor._told
        self.start_loop(self._look_for_ever())

    def look(self) -> None:
        """Something may have been paused, or may continue."""
        self.ref.cast(_LOOK_FOR_PAUSES)

    def holds(self, workflow: str, namespace: str) -> bool:
        """Whether runs of this workflow and namespace are paused together, as far as is known."""
        return any(scope.holds(workflow, namespace) for scope in self._scopes)

    def handle_cast(self, message: ToPauses) -> None:
        """Look."""
        self._wanted.set()

    async def _look_for_ever(self) -> None:
        nap, notified = 0.0, False
        while True:
            self._wanted.clear()
            here = await self._host.journal.paused_here(self._host.registered_worker())
            self._scopes = here.scopes
            self._tell(here.runs)
            nap = self._next_nap(nap, notified=notified, waits=bool(here.runs))
            notified = await self._notified_within(nap)
            while not notified and not self._host.live_runs():
                # Nothing here could be paused: an idle process asks only after a notification.
                notified = await self._notified_within(nap)

    def _next_nap(self, nap: float, *, notified: bool, waits: bool) -> float:
        if notified:
            return limits.LOOK_FOR_CLAIMED_SECONDS
        if waits:
            return min(2 * nap + limits.LOOK_FOR_CLAIMED_SECONDS, limits.LOOK_FOR_UNPAUSED_SECONDS)
        return self._host.settings.poll_seconds * (0.75 + self._host.random_fraction() / 2)

    async def _notified_within(self, seconds: float) -> bool:
        try:
            # Not wait_for: before Python 3.12 it may swallow a cancellation.
            async with asyncio.timeout(seconds):
                return await self._wanted.wait()
        except TimeoutError:
            return False

    def _tell(self, paused: frozenset[RunId]) -> None:
        for run_id in paused:
            run = self._host.registry.whereis(run_id)
            if run is not None and self._told.get(run_id) is not run:
                self._told[run_id] = run
                run.cast(_PAUSED)
        for run_id in [run_id for run_id in self._told if run_id not in paused]:
            # One that has left does not understand it any more, and need not.
            self._told.pop(run_id).cast(_UNPAUSED)
