"""The measure reporter: what a process counts goes to the control process of its node.

It reports as often as leases are renewed: a process that is killed takes what it has counted in one such
pause with it, and no more. One that stops in order reports once more.
"""

from __future__ import annotations

import asyncio

from continuum_actors.host.host import Host
from continuum_actors.host.limits import renewal_pause
from continuum_actors.host.looping_actor import LoopingActor
from continuum_actors.host.messages import HasCounted
from continuum_supervision import ExitReason


class MeasureReporter(LoopingActor):
    """Reports what was counted, if anything was."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._every = renewal_pause(host.settings.lease_ttl)

    def init(self) -> None:
        self.start_loop(self._keep_reporting())

    def terminate(self, reason: ExitReason) -> None:
        """Report what was counted last."""
        self._report()

    async def _keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            self._report()

    def _report(self) -> None:
        counted = self._host.measures.drain()
        if counted and self._host.control is not None:
            self._host.control.send(HasCounted(tuple(counted)))
