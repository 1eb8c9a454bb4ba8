"""The list of nodes: which of them live, and what each has in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from continuum.journal.connection_room import ConnectionRoom
from continuum.journal.facts import NodeRow
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """A node: its state, the seconds since it renewed its leases, and what it has in hand.

    `state` is up, draining or lost: none of its processes has a lease. `release` is None if it has not said.
    Without `namespaces` it serves all.
    """

    name: str
    state: str
    pid: int
    address: str
    release: str | None
    lease_age: float
    processes: int
    runs: int
    tasks: int
    workflows: Sequence[str]
    namespaces: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Nodes:
    """Every node that has not stopped for good, and whether their connections come near a limit."""

    nodes: Part[Sequence[NodeSummary]]
    warning: Part[str | None]


async def read(visit: Visit) -> Nodes:
    """Read the nodes."""
    nodes, room = await asyncio.gather(part(visit.reads.nodes()), part(visit.journal.connection_room()))
    found: Part[Sequence[NodeSummary]] = Part(
        None if nodes.value is None else [summary_of(node) for node in nodes.value], nodes.trouble
    )
    return Nodes(found, Part(_warning(room.value), room.trouble))


def summary_of(node: NodeRow) -> NodeSummary:
    """Return what a list shows of a node."""
    return NodeSummary(
        node.node,
        node.state,
        node.pid,
        node.address,
        None if node.code is None else node.code.release,
        node.lease_age,
        len(node.processes),
        node.live_runs,
        sum(sum(worker.tasks.values()) for worker in node.workers),
        node.workflows,
        node.namespaces,
    )


def _warning(room: ConnectionRoom | None) -> str | None:
    return None if room is None else room.warning


NODES = Page("/nodes", "nodes.html", read, Nodes, "the nodes, which of them live, and what each has in hand")
