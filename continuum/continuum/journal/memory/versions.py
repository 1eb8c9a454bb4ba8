"""Versions of code, their signals, histories they do not match; and published values of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.limits import COUNTED_RUNS
from continuum.journal.memory.tables import MemoryTables, json_copy
from continuum.journal.port import ContractRow, PublishedValue, Refusal, VersionRow


class MemoryVersions(MemoryTables):
    """Versions and published values."""

    async def register_versions(self, versions: Sequence[VersionRow]) -> None:
        """Record the code that exists; a source or contract once stored stays if there is no other."""
        now = self.now()
        for row in versions:
            before = self._versions.get((row.workflow, row.version))
            source = row.source if before is None or before.source is None else before.source
            signals = None if row.signals is None else json_copy(row.signals)
            kept = None if before is None else before.contract
            self._versions[row.workflow, row.version] = row._replace(
                signals=signals,
                source=source,
                registered_at=now,
                open_runs=0,
                contract=kept if row.contract is None else json_copy(row.contract),
            )

    async def versions(self, counted: int = COUNTED_RUNS) -> list[VersionRow]:
        """Return every registered version with its number of open runs; without sources and contracts."""
        open_runs = self._open_runs()
        share = max(counted // max(len(open_runs), 1), 1)
        unregistered = [
            VersionRow(workflow, version, "", "", None, None)
            for workflow, version in open_runs
            if (workflow, version) not in self._versions
        ]
        rows = [
            row._replace(source=None, contract=None, open_runs=min(runs, share), more_open_runs=runs > share)
            for row in (*self._versions.values(), *unregistered)
            for runs in [open_runs[row.workflow, row.version]]
        ]
        return sorted(rows, key=lambda row: (row.workflow, row.registered_at, row.version))

    def _open_runs(self) -> Counter[tuple[str, str]]:
        return Counter(
            (run.start.workflow, run.version)
            for run in self._runs.values()
            if run.version is not None and not run.state.terminal
        )

    async def version_source(self, workflow: str, version: str) -> bytes | None:
        """Return the stored source of a pinned version."""
        row = self._versions.get((workflow, version))
        return None if row is None else row.source

    async def contracts(self, workflow: str) -> list[ContractRow]:
        """Return the contracts of a workflow's versions, of the version that was registered last first."""
        rows = [row for row in self._versions.values() if row.workflow == workflow]
        rows.sort(key=lambda row: (-row.registered_at, row.version))
        return [
            ContractRow(row.version, row.label, row.registered_at, row.contract)
            for row in rows
            if row.contract is not None
        ]

    async def delete_versions(
        self, versions: Sequence[tuple[str, str]], *, audits: Sequence[AuditFacts] | None = None
    ) -> int:
        """Delete those of these versions that no open run has; return how many."""
        open_runs, deleted = self._open_runs(), 0
        for version, audit in zip(versions, audits or repeat(None, len(versions)), strict=True):
            if version not in self._versions:
                self._record(audit, ChangeOutcome.ALREADY)
            elif open_runs[version]:
                self._record(audit, ChangeOutcome.STALE)
            else:
                del self._versions[version]
                self._record(audit, ChangeOutcome.DONE)
                deleted += 1
        return deleted

    async def refusals(self, run_id: RunId) -> list[Refusal]:
        """Return the code whose replay did not match a run's history."""
        run = self._runs.get(run_id)
        return [] if run is None else list(run.refused.values())

    async def declared_signals(self, run_id: RunId) -> Mapping[str, Any] | None:
        """Return the types of the signals that the version of a chain's latest run declares."""
        run = self._latest(run_id)
        code = None if run is None else self._code_of(run)
        return None if code is None else code.signals

    async def read_published(self, run_id: RunId, names: Sequence[str]) -> dict[str, PublishedValue]:
        """Return the latest values that the run's chain has published under these names."""
        run = self._runs.get(run_id)
        published = {} if run is None else self._published.get(run.chain, {})
        return {name: published[name] for name in names if name in published}
