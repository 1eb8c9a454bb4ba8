"""The part of the port about workers: their leases, their ends, and the nodes they belong to.

The promises that the methods name are in `port.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.journal.audit_facts import AuditFacts
from continuum.journal.connection_room import ConnectionRoom
from continuum.journal.facts import Namespaces, NodeFacts, NodeRow, Released, Worker
from continuum.journal.node_report_port import GivenReport
from continuum.journal.renewal import Renewal
from continuum.telemetry.tallies import Tally


class Workers(Protocol):
    """Leases of workers, and the nodes they belong to."""

    async def register_worker(
        self,
        node: NodeId,
        role: str,
        pid: int,
        ttl: float,
        *,
        namespaces: Namespaces = None,
        channel: str | None = None,
    ) -> Worker:
        """Register a worker with a lease of `ttl` seconds that claims from `namespaces`, None for all.

        Starts may be announced to it alone, on `channel`, if it has one.
        """
        ...

    async def renew(
        self,
        workers: Sequence[WorkerId],
        ttl: float,
        facts: NodeFacts | None,
        report: GivenReport | None = None,
        counted: Sequence[Tally] = (),
    ) -> Renewal:
        """Extend leases, and record the facts of this node and its report, if one was wanted.

        What it has counted is added to the statistics.
        """
        ...

    async def expired_workers(self) -> list[WorkerId]:
        """Return the workers whose lease has run out."""
        ...

    async def node_workers(self, node: NodeId) -> list[tuple[WorkerId, int]]:
        """Return (worker, pid) of a node."""
        ...

    async def retire_worker(
        self,
        worker: WorkerId,
        *,
        executing: RunId | None,
        poison_after: int,
        only_expired: bool = False,
        dead_for: float = 0.0,
        manner: str | None = None,
    ) -> Released:
        """End a worker's lease and release its runs and tasks (P8).

        Its tasks become mail for their runs: TIMED_OUT if the worker lived until their timeout, else
        INTERRUPTED (P18). It died `dead_for` seconds ago; if that is `inf`, or with `only_expired`, nobody
        saw it die. Its running runs become due at once, its suspended ones keep their due time. With
        `only_expired` nothing happens while the lease is valid. `executing`, if given, was being executed
        when the worker died: the death is counted, and at `poison_after` deaths the run is blocked, with
        a reason that repeats `manner`: how the process ended, None if nobody knows.
        """
        ...

    async def interrupt_activities(self, worker: WorkerId, local: Sequence[tuple[RunId, int, int]]) -> None:
        """Mail INTERRUPTED for its tasks (TIMED_OUT if overdue) and `local`, each (run, seq, dispatch)."""
        ...

    async def retire_node(self, node: NodeId) -> None:
        """Remove a node that has stopped."""
        ...

    async def drain_node(self, node: NodeId, *, audit: AuditFacts | None = None) -> bool:
        """Ask a node to stop in order; its next renewal reports it. False when there is no such node."""
        ...

    async def connection_room(self) -> ConnectionRoom | None:
        """Return how near the connections of all nodes come to the server's limit; None without a server."""
        ...

    async def nodes(self) -> list[NodeRow]:
        """Return every node that has not been retired."""
        ...
