"""The part of the port for versions of code: what is registered, and which of it open runs need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts
from continuum.journal.limits import COUNTED_RUNS
from continuum.journal.version_facts import ContractRow, Refusal, VersionRow


class Versions(Protocol):
    """Versions of code, and the histories they do not match."""

    async def register_versions(self, versions: Sequence[VersionRow]) -> None:
        """Record the code that exists; a source or contract once stored stays if there is no other."""
        ...

    async def versions(self, counted: int = COUNTED_RUNS) -> list[VersionRow]:
        """Return every version that is registered or that open runs have; without sources and contracts.

        The open runs of each are counted up to an equal share of `counted`, which is one at least. A version
        that is not registered has no label and no module.
        """
        ...

    async def version_source(self, workflow: str, version: str) -> bytes | None:
        """Return the stored source of a pinned version."""
        ...

    async def contracts(self, workflow: str) -> list[ContractRow]:
        """Return the contracts of a workflow's versions, of the version that was registered last first."""
        ...

    async def delete_versions(
        self, versions: Sequence[tuple[str, str]], *, audits: Sequence[AuditFacts] | None = None
    ) -> int:
        """Delete those of these versions that no open run has; return how many. `audits`: facts for each."""
        ...

    async def refusals(self, run_id: RunId) -> list[Refusal]:
        """Return the code whose replay did not match a run's history."""
        ...

    async def declared_signals(self, run_id: RunId) -> Mapping[str, Any] | None:
        """Return the types of the signals that the version of a chain's latest run declares.

        None without any. A run that has no version yet has those of the version registered last.
        """
        ...
