"""The worker lease: this process's registration, which every write it makes is fenced by.

The Heartbeater renews the lease. An actor that finds the lease lost reports it here; this actor
then crashes, and with it everything that lives on the lease: the runs have other owners now.
The restart registers a new worker. It first gives back the earlier lease, in case that was
still valid: whatever crashed, the actors that worked under it are gone.
"""

from __future__ import annotations

import os

from continuum.journal.port import LeaseLost
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.host.messages import LeaseIsLost, ToWorkerLease
from continuum_supervision import NORMAL, Actor, ActorRef, ExitReason, ExpectedExit


class WorkerLease(Actor):
    """Registers this process as a worker."""

    def __init__(self, host: Host) -> None:
        self._host = host
        # Numbers this worker's commits; survives a restart of the writer.
        self.batch = 0

    async def init(self) -> None:
        host = self._host
        for run in host.live_runs():
            # Its supervisor died as well, so nobody has stopped it.
            await run.stop(NORMAL)
        self.ref.on_exit(self._end_runs)
        if host.worker is not None:
            # Without a time of death: this process lives, and so do its attempts.
            await host.journal.retire_worker(
                host.worker.id, executing=None, poison_after=limits.POISON_AFTER_DEATHS
            )
        worker = await host.journal.register_worker(
            host.node,
            host.role,
            os.getpid(),
            host.settings.lease_ttl,
            namespaces=host.settings.namespaces,
            channel=host.channel,
        )
        host.worker = worker
        host.pulse.set_worker_id(worker.id)
        host.lease = self
        host.tasks.lease_taken()

    def _end_runs(self, ref: ActorRef, reason: ExitReason) -> None:
        """No run outlives the lease, not even one whose supervisor is dead; its results are kept (I7)."""
        for run in self._host.live_runs():
            run.stop_nowait(NORMAL)

    def handle_cast(self, message: ToWorkerLease) -> None:
        """An actor found the lease lost; ignores late reports about an earlier lease."""
        error = message.error
        if self._host.worker is not None and error.worker == self._host.worker.id:
            self._host.measures.lease_lost()
            raise ExpectedExit(f"{error}; its runs continue with their next owner") from error

    def lost(self, error: LeaseLost) -> None:
        """Crash, and register anew."""
        self.ref.cast(LeaseIsLost(error))
