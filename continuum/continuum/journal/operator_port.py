"""The part of the port about what people change in runs, and about the record of that.

The promises that the methods name are in `port.py`. A change that carries `AuditFacts` is recorded (P20).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts, AuditQuery, AuditRow, SeenRun
from continuum.journal.facts import Namespaces, Posted
from continuum.journal.forked_run import ForkedRun, StoredFork


class OperatedRuns(Protocol):
    """What people, and nodes at their start, do with runs that they do not own."""

    async def force_cancel(
        self, run_id: RunId, *, seen: SeenRun | None = None, audit: AuditFacts | None = None
    ) -> Posted:
        """End a run as cancelled at once, with the children that are cancelled with it; fence off owners.

        With `seen`, an open run that is no longer as it was seen stays as it is (STALE).
        """
        ...

    async def fork_run(self, run: ForkedRun, *, audit: AuditFacts | None = None) -> Posted:
        """Create a run that begins with the events of another (P21); STALE if that has changed meanwhile.

        The run is claimable at once. DUPLICATE says that an earlier call has created it. A caller who plans
        anew after STALE gives the same audit id again: what comes of it then replaces that outcome.
        """
        ...

    async def forks_of(self, roots: Sequence[RunId]) -> list[StoredFork]:
        """Return the forks of these chains and of their relatives, that is all that come from one chain.

        A fork stays known after its removal, until all of them and the chain they come from are removed.
        """
        ...

    async def unblock(
        self,
        workflows: Sequence[str],
        run_ids: Sequence[RunId] | None = None,
        *,
        namespaces: Namespaces = None,
        code: str | None = None,
        audit: AuditFacts | None = None,
    ) -> int:
        """Make blocked runs claimable again; with `code`, a digest, those that other code may continue."""
        ...

    async def set_attributes(
        self, run_id: RunId, attributes: Mapping[str, Any], *, audit: AuditFacts | None = None
    ) -> bool:
        """Merge attributes into those of the chain's latest run, atomically; False without such a run."""
        ...


class Audits(Protocol):
    """The record of what people have changed."""

    async def audited(self, query: AuditQuery) -> list[AuditRow]:
        """Return recorded changes, the latest first. They are kept for `AUDIT_KEPT_SECONDS`."""
        ...
