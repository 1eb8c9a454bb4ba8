"""`RunChanges`: what a caller changes in runs besides signals; with an actor each change is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from continuum.client.argument_checks import RunOrId, node_of, run_id_of
from continuum.client.cancel_outcome import CancelOutcome, cancel_outcome, unread_outcome
from continuum.client.namespaces import InNamespace, checked_namespace
from continuum.client.posting import Posting
from continuum.client.retrying import retry_read_once
from continuum.client.run_lookup import RunLookup
from continuum.client.runs import Run
from continuum.definitions.attributes import checked_attributes
from continuum.engine.ids import RunId
from continuum.errors import InvalidOption, NodeNotFound, RunNotFound
from continuum.journal.audit_facts import Action, SeenRun
from continuum.journal.facts import RunState
from continuum.journal.port import Runs, Workers
from continuum.journal.untyped_values import microseconds_of
from continuum.operations.actor import Recorder


class ChangedRuns(Runs, Workers, Protocol):
    """Runs, and the nodes that execute them."""


class RunChanges:
    """The changes of one client. Those that are made again after a lost answer have the same facts."""

    def __init__(self, journal: ChangedRuns, lookup: RunLookup, posting: Posting) -> None:
        self._journal = journal
        self._lookup = lookup
        self._posting = posting

    async def cancel(
        self, run_id: RunOrId, namespace: InNamespace, record: Recorder, *, force: bool, seen: Run | None
    ) -> CancelOutcome:
        """Request that a run stops, or end it; see `Client.cancel`."""
        if seen is not None and not force:
            raise InvalidOption("seen= guards a forced cancel; without force=True leave it out")
        found = await self._lookup.resolve(run_id, namespace)
        if force:
            await self._posting.force_cancel(found, None if seen is None else seen_run(seen), record)
        else:
            await self._posting.post_cancel(found, record)
        row, present = await self._lookup.latest_for_message(found)
        return unread_outcome(found, force=force) if row is None else cancel_outcome(row, present)

    async def unblock(self, run_id: RunOrId, namespace: InNamespace, record: Recorder) -> bool:
        """Let nodes try a blocked run again; see `Client.unblock`."""
        row = await self._lookup.row(run_id_of(run_id), checked_namespace(namespace))
        latest = await self._lookup.latest_run(row)
        blocked = latest.state is RunState.BLOCKED
        audit = record(Action.UNBLOCK, latest.id)
        if blocked or audit is not None:
            await retry_read_once(lambda: self._journal.unblock([latest.workflow], [latest.id], audit=audit))
        return blocked

    async def set_attributes(
        self, run_id: RunOrId, attributes: Mapping[str, Any], namespace: InNamespace, record: Recorder
    ) -> None:
        """Merge attributes into a run's, atomically."""
        checked = checked_attributes(attributes)
        found = await self._lookup.resolve(run_id, namespace)
        audit = record(Action.SET_ATTRIBUTES, found, attributes=checked)
        if not await retry_read_once(lambda: self._journal.set_attributes(found, checked, audit=audit)):
            raise RunNotFound(found)

    async def drain_node(self, name: str, record: Recorder) -> None:
        """Ask a node to shut down in order."""
        node = node_of(name)
        audit = record(Action.DRAIN_NODE, node)
        if not await retry_read_once(lambda: self._journal.drain_node(node, audit=audit)):
            raise NodeNotFound(name)


def seen_run(run: Run) -> SeenRun:
    """Return what a forced cancel compares with: a run that was running is different at every look."""
    at = None if run.state == "running" else microseconds_of(run.updated_at)
    return SeenRun(RunId(run.id), at)
