"""Rules of what belongs to no single run: leases, idempotency keys, rows without a run."""

from __future__ import annotations

from collections.abc import Iterator

from continuum.journal.mend import Mend, MendKind
from continuum.journal.stored_facts import INFINITE, StoredCluster
from continuum.verify.findings import Finding

# A lease lasts for ten minutes at most.
LONGEST_LEASE_SECONDS = 3_600
# Another node releases what an expired lease held within seconds; after this long nobody does.
EXPIRED_SECONDS = 120


def cluster_findings(cluster: StoredCluster, *, at_once: bool = False) -> Iterator[Finding]:
    """Check leases, keys, and rows without a run; with `at_once` also leases that ran out just now."""
    others_live = any(cluster.now < worker.expires_at < INFINITE for worker in cluster.workers)
    for worker in cluster.workers:
        left = worker.expires_at - cluster.now
        named = f"worker {worker.id} of node {worker.node}"
        if left > LONGEST_LEASE_SECONDS * 1_000_000 or worker.expires_at <= -INFINITE:
            text = f"the lease of {named} does not end soon"
            yield Finding(None, "lease-odd", text, (Mend(MendKind.SHORTEN_LEASE),), worker.id)
        elif left < 0 if at_once else left < -EXPIRED_SECONDS * 1_000_000 and others_live:
            text = f"the lease of {named} ran out and nobody has released what it owns"
            yield Finding(None, "lease-expired", text, (Mend(MendKind.RETIRE),), worker.id)
    for key in cluster.duplicate_keys:
        text = (
            f"key {key.key!r} of {key.workflow} in namespace {key.namespace} belongs to several runs: "
            f"{', '.join(key.runs)}: which of them keeps it is for you to say; set the idempotency_key "
            "of the others to NULL, and create the index runs_idempotency again, as `continuum doctor` shows"
        )
        yield Finding(key.runs[0], "key-twice", text)
    for table, run_id in cluster.orphans:
        text = f"table {table} has rows of this run, which does not exist"
        yield Finding(run_id, "orphan", text, (Mend(MendKind.DROP_ORPHANS, name=table),))
