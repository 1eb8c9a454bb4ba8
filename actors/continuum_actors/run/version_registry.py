"""The version registry: notes in the journal which code is loaded here, and loads what pinned runs need.

It is ready once every version stands in the journal, with the source of the pinned ones; until then runs of
pinned code are not claimed, because nobody could go on with them after a deploy. From then on it looks
now and then for open runs of pinned versions that are not loaded here, and loads those from their source;
and notes again what is loaded here and was forgotten.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from continuum.codec.signal_contracts import declared
from continuum.definitions.workflow import Workflow
from continuum.errors import UnknownVersion
from continuum.journal.port import VersionRow
from continuum.versions.pinning import load_pinned, pinned_source
from continuum_actors.host import limits
from continuum_actors.host.backoff import until_available
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import WorkingActor

log = logging.getLogger("continuum.versions")


class VersionRegistry(WorkingActor):
    """`state` is "starting" until the journal knows all `registered` versions, then "ready"."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._refused: set[tuple[str, str]] = set()
        self.state = "starting"
        self.registered = 0
        self.ready = asyncio.Event()

    def init(self) -> None:
        self._host.version_registry = self
        self.begin_work(self._work())

    def work_failed(self, error: BaseException | None) -> None:
        """Without pinned code the work ends once everything is registered."""
        if error is not None:
            super().work_failed(error)

    async def _work(self) -> None:
        host = self._host
        rows = [version_row(workflow) for workflow in host.code.all_workflows]
        await self._register(rows)
        host.code.pinned_are_stored()
        self.registered = len(rows)
        self.state = "ready"
        self.ready.set()
        while host.code.pinned:
            noted = await until_available(host.journal.versions, "looking for pinned versions", host.fraction)
            await self._load_pinned(noted)
            known = {(row.workflow, row.version) for row in noted if row.registered_at}
            # Collected as garbage while no run was of them, and yet new ones will be.
            await self._register([row for row in rows if (row.workflow, row.version) not in known])
            await asyncio.sleep(limits.PINNED_VERSIONS_SECONDS * (0.75 + host.fraction() / 2))

    async def _register(self, rows: Sequence[VersionRow]) -> None:
        if rows:
            register = partial(self._host.journal.register_versions, rows)
            await until_available(register, "registering versions", self._host.fraction)

    async def _load_pinned(self, noted: Sequence[VersionRow]) -> None:
        """Load what open runs of pinned workflows need and nobody here has."""
        host, code = self._host, self._host.code
        pinned = {
            workflow.name for workflow in code.pinned if code.workflows[workflow.name].on_change == "pin"
        }
        for row in noted:
            version = row.workflow, row.version
            if (
                row.workflow not in pinned
                or not row.open_runs
                or code.knows(*version)
                or version in self._refused
            ):
                continue
            source = await until_available(
                partial(host.journal.version_source, *version), "fetching a pinned version", host.fraction
            )
            if source is None:
                continue  # its runs began before the workflow was pinned; they wait for a node that has it
            try:
                code.add_pinned(load_pinned(source, row.version, code.workflows[row.workflow]))
            except UnknownVersion as error:
                self._refused.add(version)
                log.warning("%s; its runs wait for a node that can", error)
            else:
                log.info("open runs of %s go on with their own code, version %s", *version)
        host.dispatcher.look()


def version_row(workflow: Workflow[..., object]) -> VersionRow:
    """Return what the journal is told about a version."""
    return VersionRow(
        workflow.name,
        workflow.version_hash,
        workflow.label,
        workflow.fn.__module__,
        declared(workflow.signals),
        pinned_source(workflow) if workflow.on_change == "pin" else None,
        retention=workflow.retention,
    )
