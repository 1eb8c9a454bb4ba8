"""Rules of what belongs to no single run: leases, idempotency keys, rows without a run."""

from __future__ import annotations

from collections.abc import Iterator

from continuum.journal.stored_facts import INFINITE, StoredCluster
from continuum.verify.findings import Finding

# A lease lasts for ten minutes at most.
LONGEST_LEASE_SECONDS = 3_600
# Another node releases what an expired lease held within seconds; after this long nobody does.
EXPIRED_SECONDS = 120


def cluster_findings(cluster: StoredCluster) -> Iterator[Finding]:
    """Check leases, keys, and rows without a run."""
    others_live = any(cluster.now < worker.expires_at < INFINITE for worker in cluster.workers)
    for worker in cluster.workers:
        left = worker.expires_at - cluster.now
        named = f"worker {worker.id} of node {worker.node}"
        if left > LONGEST_LEASE_SECONDS * 1_000_000 or worker.expires_at <= -INFINITE:
            text = f"the lease of {named} does not end soon; set its expires_at to now()"
            yield Finding(None, "lease-odd", text)
        elif left < -EXPIRED_SECONDS * 1_000_000 and others_live:
            text = f"the lease of {named} ran out and nobody has released it; restart the other nodes"
            yield Finding(None, "lease-expired", text)
    for key in cluster.duplicate_keys:
        text = (
            f"key {key.key!r} of {key.workflow} in namespace {key.namespace} belongs to several runs: "
            f"{', '.join(key.runs)}; set the idempotency_key of all but one to NULL, and create the index "
            "runs_idempotency again"
        )
        yield Finding(key.runs[0], "key-twice", text)
    for table, run_id in cluster.orphans:
        text = f"table {table} has rows of this run, which does not exist; delete those rows"
        yield Finding(run_id, "orphan", text)
