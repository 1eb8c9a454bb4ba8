"""Removal of what ended runs left behind, and of runs whose retention is over."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.limits import REMOVALS_PER_SWEEP, REMOVED_AT_ONCE, SUSPICION_SECONDS
from continuum.journal.memory.audits import MemoryAudits
from continuum.journal.memory.state_changes import MemoryStateChanges
from continuum.journal.memory.tables import MICROSECONDS, StoredRun, Suspicion
from continuum.journal.odd_rows import OddRow

_DELIVERIES_KEPT = 24 * 3600 * MICROSECONDS
_LOST_NODES_KEPT = 3600 * MICROSECONDS


class MemoryRetention(MemoryStateChanges, MemoryAudits):
    """Removal."""

    async def sweep(self) -> int:
        """Remove what ended runs left behind, and runs whose retention is over; return how many rows."""
        removed = self._sweep_leftovers() + self._sweep_changes()
        self._delete_deliveries()
        self._delete_lost_nodes()
        self._delete_suspicions()
        self._sweep_audit()
        self._statistics.sweep(self.now())
        over = [run for run in self._runs.values() if self._retention_is_over(run)]
        over.sort(key=lambda run: run.retain_until or 0)
        for run in over[: REMOVALS_PER_SWEEP * REMOVED_AT_ONCE]:
            removed += self._remove_chain(run.chain)
        return removed

    async def odd_rows(self) -> list[OddRow]:
        """Return nothing: nobody writes here by hand."""
        return []

    def _sweep_leftovers(self) -> int:
        removed = 0
        for run_id, run in self._runs.items():
            if run.state.terminal:
                removed += len(run.inbox) + len(run.tasks) + len(self._heartbeats.pop(run_id, ()))
                run.inbox.clear()
                self._drop_tasks(run)
        return removed

    def _delete_deliveries(self) -> None:
        """Remove the delivery ids of chains that ended more than a day ago."""
        before = self.now() - _DELIVERIES_KEPT
        for delivery in list(self._deliveries):
            run = self._latest(delivery[0])
            if run is None or (run.completed_at is not None and run.completed_at < before):
                self._deliveries.discard(delivery)

    def _delete_suspicions(self) -> None:
        """Forget suspects that have ended, and those that have killed nothing for long."""
        before = self.now() - SUSPICION_SECONDS * MICROSECONDS
        for place, suspect in list(self._suspects.items()):
            run = self._runs.get(place[0])
            old = suspect.level <= Suspicion.ANY and suspect.since < before
            if run is None or run.state.terminal or old:
                del self._suspects[place]

    def _delete_lost_nodes(self) -> None:
        """Remove nodes that have not renewed for an hour."""
        before = self.now() - _LOST_NODES_KEPT
        for node in [node for node, stored in self._nodes.items() if stored.renewed_at < before]:
            del self._nodes[node]
            self._reports.pop(node, None)

    def _retention_is_over(self, run: StoredRun) -> bool:
        """Whether `run` ended its chain long enough ago and no live parent may read it."""
        if run.retain_until is None or run.retain_until > self.now() or run.continued_to is not None:
            return False
        parent = None if run.parent is None else self._runs.get(run.parent)
        return run.state.terminal and (parent is None or parent.state.terminal)

    def _remove_ended(self, run: StoredRun) -> bool:
        """Remove the chain of its latest run, if that has ended and no open parent may read it."""
        parent = None if run.parent is None else self._runs.get(run.parent)
        if run.continued_to is not None or not run.state.terminal:
            return False
        if parent is not None and not parent.state.terminal:
            return False
        self._remove_chain(run.chain)
        return True

    def _remove_chain(self, root: RunId) -> int:
        run_ids = self._chains.pop(root, [root])
        ended_at = max(self._runs[run_id].completed_at or 0 for run_id in run_ids)
        for run_id in run_ids:
            start = self._runs.pop(run_id).start
            if start.idempotency_key is not None:
                del self._keys[start.namespace, start.workflow, start.idempotency_key]
        self._published.pop(root, None)
        self._forget_forks(root, ended_at)
        self._deliveries = {delivery for delivery in self._deliveries if delivery[0] != root}
        return len(run_ids)

    def _forget_forks(self, root: RunId, ended_at: int) -> None:
        """Note what a chain that is removed may have undone for its forks; forget a family that has gone."""
        for row in self._forks.values():
            if row.stored.root == root and ended_at >= row.made_at:
                row.stored = row.stored._replace(is_lost=True)
        rows = self._forks.items()
        alive = {row.family for fork, row in rows if fork in self._runs or row.family in self._runs}
        self._forks = {fork: row for fork, row in rows if row.family in alive}
