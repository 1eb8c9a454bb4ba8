"""The memory journal's rows and histories, for a check of the whole."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.facts import RunState
from continuum.journal.family_facts import PublishedValue
from continuum.journal.memory.tables import MemoryTables, StoredRun, StoredSnapshots
from continuum.journal.snapshot_codec import SNAPSHOT_FORMAT
from continuum.journal.stored_facts import (
    DuplicateKey,
    Relative,
    StoredCluster,
    StoredEvent,
    StoredMail,
    StoredRunFacts,
    StoredSnapshot,
    StoredTaskRow,
    StoredWorkerRow,
)

BATCH = 500


class MemoryFacts:
    """A view of a memory journal; it shows one moment for as long as nothing else runs."""

    def __init__(self, journal: MemoryTables) -> None:
        self._journal = journal

    async def cluster(self, *, whole: bool = True) -> StoredCluster:
        """Return what belongs to no single run."""
        return self.cluster_now() if whole else replace(self.cluster_now(), duplicate_keys=[], orphans=[])

    def cluster_now(self) -> StoredCluster:
        """Return what belongs to no single run, without a loop."""
        journal = self._journal
        known = journal._runs
        owns: Counter[WorkerId] = Counter(run.owner for run in known.values() if run.owner is not None)
        owns.update(task.owner for task in journal._tasks.values() if task.owner is not None)
        by_key: defaultdict[tuple[str, str, str], list[RunId]] = defaultdict(list)
        for start in (run.start for run in known.values()):
            if start.idempotency_key is not None:
                by_key[start.namespace, start.workflow, start.idempotency_key].append(start.id)
        return StoredCluster(
            now=journal.now(),
            last_token=max((run.token for run in known.values()), default=0),
            workers=[
                StoredWorkerRow(id, worker.worker.node, worker.expires_at, owns[id])
                for id, worker in journal._workers.items()
            ],
            duplicate_keys=[DuplicateKey(*key, runs) for key, runs in by_key.items() if len(runs) > 1],
            orphans=[("tasks", run_id) for run_id, _ in journal._tasks if run_id not in known],
        )

    async def runs(
        self,
        *,
        namespace: str | None = None,
        run_ids: Sequence[RunId] | None = None,
        since: int | None = None,
    ) -> AsyncIterator[list[StoredRunFacts]]:
        """Yield the runs in batches."""
        asked = sorted(self._journal._runs if run_ids is None else run_ids)
        chosen = [
            run_id
            for run_id in asked
            if (run := self._journal._runs.get(run_id)) is not None
            and namespace in (None, run.start.namespace)
            and (since is None or run.updated_at >= since)
        ]
        for begin in range(0, len(chosen), BATCH):
            yield self.runs_now(chosen[begin : begin + BATCH])

    async def sample(self, size: int) -> list[RunId]:
        """Return up to `size` runs, as many from each part of the journal."""
        known = sorted(self._journal._runs)
        return known[:: max(1, -(-len(known) // size))] if size else []

    def runs_now(self, run_ids: Iterable[RunId]) -> list[StoredRunFacts]:
        """Return these runs, without a loop."""
        known = self._journal._runs
        chosen = [known[run_id] for run_id in run_ids if run_id in known]
        parents = {run.start.id for run in chosen}
        children: defaultdict[RunId, list[Relative]] = defaultdict(list)
        for run in known.values():
            if run.parent in parents:
                assert run.parent is not None, "None is no parent's id"
                children[run.parent].append(_relative(run))
        return [self._facts(run, children[run.start.id]) for run in chosen]

    def _published(self, run: StoredRun) -> Mapping[str, PublishedValue]:
        return self._journal._published.get(run.chain, {})

    def _facts(self, run: StoredRun, children: list[Relative]) -> StoredRunFacts:
        near = (run.parent, run.continued_from, run.continued_to)
        relatives = [self._journal._runs.get(id) for id in near if id is not None]
        return StoredRunFacts(
            id=run.start.id,
            workflow=run.start.workflow,
            version=run.version,
            namespace=run.start.namespace,
            state=run.state,
            owner=run.owner,
            token=run.token,
            due_at=run.due_at,
            attempt=run.attempt,
            deaths=run.deaths,
            input=run.start.input,
            result=run.result,
            error=run.error,
            reason=run.reason,
            has_fault=run.fault is not None,
            started_at=run.started_at,
            updated_at=run.updated_at,
            completed_at=run.completed_at,
            parent=run.parent,
            parent_seq=run.parent_seq,
            close_policy=run.close_policy if run.parent is not None else None,
            depth=run.depth,
            root=run.root,
            continued_from=run.continued_from,
            continued_to=run.continued_to,
            waits=run.waits if run.state is RunState.SUSPENDED else None,
            events=[StoredEvent(*event) for event in run.events],
            inbox=[StoredMail(row.id, row.kind, row.name, row.key, row.body) for row in run.inbox.values()],
            tasks=[
                StoredTaskRow(seq, row.task.dispatch, row.task.attempt, row.task.activity, row.owner)
                for seq, row in run.tasks.items()
            ],
            snapshots=_snapshots(run.snapshots),
            children=children,
            published={name: value.value for name, value in self._published(run).items()},
            relatives={run.start.id: _relative(run) for run in relatives if run is not None},
        )


def _snapshots(stored: StoredSnapshots | None) -> list[StoredSnapshot]:
    if stored is None:
        return []
    return [StoredSnapshot(part, SNAPSHOT_FORMAT, stored.version) for part in stored.parts]


def _relative(run: StoredRun) -> Relative:
    return Relative(
        run.start.id,
        run.state,
        run.depth,
        run.start.namespace,
        run.parent,
        run.parent_seq,
        run.root,
        run.continued_from,
        run.continued_to,
    )
