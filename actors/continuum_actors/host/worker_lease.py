"""The worker lease: this process's registration, which every write it makes is fenced by.

Renewing is the Heartbeater's business. Whoever is told that the lease is gone
tells this actor, which crashes, and with it everything that lives on the lease:
the runs belong to somebody else. The restart registers a new worker, and gives back
the earlier lease if that still stood: what lived on it is gone, whatever crashed.
"""

from __future__ import annotations

import os

from continuum.journal.port import LeaseLost
from continuum_actors.host import limits
from continuum_actors.host import messages as say
from continuum_actors.host.backoff import until_available
from continuum_actors.host.host import Host
from continuum_supervision import Actor


class WorkerLease(Actor):
    """Registers this process as a worker."""

    def __init__(self, host: Host) -> None:
        self._host = host
        # Numbers this worker's commits; outlives a restart of the writer.
        self.batch = 0

    async def init(self) -> None:
        host = self._host
        if hasattr(host, "worker"):
            await until_available(
                self._give_back, "giving back the lease of an earlier worker", host.fraction
            )
        host.worker = await until_available(
            lambda: host.journal.register_worker(host.node, host.role, os.getpid(), host.settings.lease_ttl),
            "registering this worker",
            host.fraction,
        )
        host.pulse.set_worker_id(host.worker.id)
        host.lease = self
        host.activities.ref.cast(say.LookForWork())

    async def _give_back(self) -> None:
        host = self._host
        await host.journal.retire_worker(
            host.worker.id, executing=None, poison_after=limits.POISON_AFTER_DEATHS
        )

    def handle_info(self, message: LeaseLost) -> None:
        """Somebody found the lease gone."""
        raise message

    def lost(self, error: LeaseLost) -> None:
        """Give everything up and begin anew; late news of an earlier lease is none."""
        if error.worker == self._host.worker.id:
            self.ref.send(error)
