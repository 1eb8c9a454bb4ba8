"""The version registry: registers the code that is loaded here, and loads the code that pinned runs need.

It is ready once the journal has every version, with the source of the pinned ones. Until then
runs of pinned code are not claimed, because after a deploy no node could continue them. After
that it registers what each version takes and returns (its contract), looks regularly for open runs of pinned
versions that are not loaded here, loads those from their source, and registers again what is loaded here
and was deleted from the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from continuum.codec.signal_contracts import declared
from continuum.contracts.documents import storable
from continuum.definitions.workflow import Workflow
from continuum.errors import UnknownVersion
from continuum.journal.port import VersionRow
from continuum.versions.pinning import load_pinned, pinned_source
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LoopingActor

log = logging.getLogger("continuum.versions")


class VersionRegistry(LoopingActor):
    """`state` is "starting" until the journal knows all `registered` versions, then "ready"."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._refused: set[tuple[str, str]] = set()
        self.state = "starting"
        self.registered = 0
        self.ready = asyncio.Event()
        # Set once the journal has the contracts, too.
        self.described = asyncio.Event()

    def init(self) -> None:
        self._host.version_registry = self
        self.start_loop(self._work())

    def loop_failed(self, error: BaseException | None) -> None:
        """Ignore the end of the loop: without pinned code it ends once everything is registered."""
        if error is not None:
            super().loop_failed(error)

    async def _work(self) -> None:
        host = self._host
        loaded = host.code.all_workflows
        rows = [version_row(workflow) for workflow in loaded]
        await self._register(rows)
        host.code.pinned_are_stored()
        self.registered = len(rows)
        self.state = "ready"
        self.ready.set()
        # Only now: work does not wait for what forms are made of.
        described = [row._replace(contract=storable(each)) for row, each in zip(rows, loaded, strict=True)]
        await self._register(described)
        self.described.set()
        while host.code.pinned:
            stored = await host.journal.versions(counted=1)
            await self._load_pinned(stored)
            known = {(row.workflow, row.version) for row in stored if row.registered_at}
            # `gc` may have deleted a version while no run used it; new runs of it will still begin.
            await self._register([row for row in described if (row.workflow, row.version) not in known])
            await asyncio.sleep(limits.PINNED_VERSIONS_SECONDS * (0.75 + host.random_fraction() / 2))

    async def _register(self, rows: Sequence[VersionRow]) -> None:
        if rows:
            await self._host.journal.register_versions(rows)

    async def _load_pinned(self, stored: Sequence[VersionRow]) -> None:
        """Load the versions that open runs of pinned workflows need and that are not loaded here."""
        host, code = self._host, self._host.code
        pinned = {
            workflow.name for workflow in code.pinned if code.workflows[workflow.name].on_change == "pin"
        }
        for row in stored:
            version = row.workflow, row.version
            if (
                row.workflow not in pinned
                or not row.open_runs
                or code.knows(*version)
                or version in self._refused
            ):
                continue
            source = await host.journal.version_source(*version)
            if source is None:
                continue  # its runs began before the workflow was pinned, and wait for a node that has it
            try:
                code.add_pinned(load_pinned(source, row.version, code.workflows[row.workflow]))
            except UnknownVersion as error:
                self._refused.add(version)
                log.warning("%s; its runs wait for a node that can", error)
            else:
                log.info("open runs of %s continue with their own code, version %s", *version)
        host.dispatcher.look()


def version_row(workflow: Workflow[..., object]) -> VersionRow:
    """Return what the journal stores about a version."""
    return VersionRow(
        workflow.name,
        workflow.version_hash,
        workflow.label,
        workflow.fn.__module__,
        declared(workflow.signals),
        pinned_source(workflow) if workflow.on_change == "pin" else None,
        retention=workflow.retention,
    )
