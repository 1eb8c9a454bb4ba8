"""The registry of the live runs of this process: a run id leads to its actor.

The actors of this process look a run up in `host.registry`, which costs no message. Other processes ask this
actor.
"""

from __future__ import annotations

from continuum_actors.host.host import Host
from continuum_actors.host.messages import FindRun, ToRunRegistry
from continuum_supervision import RegistryActor


class RunRegistry(RegistryActor):
    """Finds live runs for other processes. The names survive a restart, for the host keeps them."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.registry)
        self._host = host

    def init(self) -> None:
        self._host.locator = self

    def find(self, wanted: FindRun) -> None:
        """Have the run tell where it is, if it is live here."""
        self.ref.cast(wanted)

    def handle_cast(self, message: ToRunRegistry) -> None:
        """Pass the question on to the run, which knows since when it is here."""
        run = self.registry.whereis(message.run_id)
        if run is not None:
            run.cast(message)
