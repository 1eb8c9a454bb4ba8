"""Checks everything that a journal has stored, run by run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Sequence

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.stored_facts import StoredCluster, StoredFacts, StoredRunFacts
from continuum.verify.cluster_rules import cluster_findings
from continuum.verify.family_rules import family_findings
from continuum.verify.findings import Finding
from continuum.verify.history_rules import history_findings
from continuum.verify.open_effects import open_effects
from continuum.verify.payload_rules import payload_findings
from continuum.verify.row_rules import row_findings
from continuum.verify.tail_rules import tail_findings, without_history
from continuum.verify.task_rules import task_findings


async def verify(
    facts: StoredFacts,
    *,
    namespace: str | None = None,
    run_ids: Sequence[RunId] | None = None,
    since: int | None = None,
) -> AsyncIterator[Finding]:
    """Yield what does not hold. With a namespace, ids or a time since which they changed, only of runs."""
    whole = namespace is None and run_ids is None and since is None
    cluster = await facts.cluster(whole=whole)
    if whole:
        for finding in cluster_findings(cluster):
            yield finding
    workers = {worker.id for worker in cluster.workers}
    async for batch in facts.runs(namespace=namespace, run_ids=run_ids, since=since):
        for run in batch:
            for finding in run_findings(run, cluster, workers):
                yield finding


def findings_of(cluster: StoredCluster, run: StoredRunFacts | None) -> Iterator[Finding]:
    """Yield what does not hold for leases and rows without a run, and for one run, as a repair sees them."""
    yield from cluster_findings(cluster, at_once=True)
    if run is not None:
        yield from run_findings(run, cluster, {worker.id for worker in cluster.workers})


def run_findings(
    run: StoredRunFacts, cluster: StoredCluster, workers: Collection[WorkerId]
) -> Iterator[Finding]:
    """Yield what does not hold for one run."""
    short = list(tail_findings(run))
    yield from short
    for finding in _other_findings(run, cluster, workers):
        yield without_history(finding) if short else finding


def _other_findings(
    run: StoredRunFacts, cluster: StoredCluster, workers: Collection[WorkerId]
) -> Iterator[Finding]:
    effects = open_effects(run.events)
    yield from history_findings(run, effects)
    yield from payload_findings(run)
    yield from row_findings(run, effects, cluster, workers)
    yield from task_findings(run, effects)
    yield from family_findings(run, effects)
