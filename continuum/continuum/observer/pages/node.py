"""One node: what it has in hand, and its live supervision tree, which it reports while the page is open."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from continuum.errors import NodeNotFound
from continuum.journal.facts import NodeRow
from continuum.observer.limits import SILENT_AFTER_SECONDS
from continuum.observer.page import Page
from continuum.observer.pages.nodes import NodeSummary, summary_of
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role
from continuum.operations.node_report import ActorReport, NodeReport
from continuum.operations.node_watch import ANSWER_SECONDS, WatchedNode, watched_node


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a node, as its leases know it: what it owns, with its tasks by queue."""

    role: str
    pid: int
    runs: int
    tasks: dict[str, int]
    waiting_for_a_thread: int


@dataclass(frozen=True, slots=True)
class Node:
    """A node, its processes, and what it reports of itself; `silence` says in words that it does not."""

    node: NodeSummary
    processes: Sequence[Process]
    watched: Part[WatchedNode]
    silence: str | None
    alone_with: Sequence[str]


async def read(visit: Visit) -> Node:
    """Have the node report, and read what it has reported."""
    name = visit.parameter("node")
    nodes = await visit.reads.nodes()
    found = next((node for node in nodes if node.node == name), None)
    if found is None:
        raise NodeNotFound(name)
    (looking, trouble), watched = await asyncio.gather(
        visit.place.looks.look(visit.changes, name), part(watched_node(visit.journal, name))
    )
    if watched.value is not None:
        watched = Part(seen_by(watched.value, visit.visitor.may(Role.OPERATOR)))
    return Node(
        summary_of(found),
        processes_of(found),
        watched,
        trouble or silence_of(found, watched.value, looking),
        alone_with(found, nodes),
    )


def processes_of(node: NodeRow) -> list[Process]:
    """Return the processes of a node."""
    found = []
    for role, pid in node.processes:
        own = [worker for worker in node.workers if worker.pid == pid]
        tasks: dict[str, int] = {}
        for worker in own:
            for queue, number in worker.tasks.items():
                tasks[queue] = tasks.get(queue, 0) + number
        runs = sum(worker.runs for worker in own)
        found.append(Process(role, pid, runs, tasks, node.waiting.get(pid, 0)))
    return found


def alone_with(node: NodeRow, nodes: Sequence[NodeRow]) -> list[str]:
    """Return the workflows that no other node which is up has loaded."""
    others = [each for each in nodes if each.node != node.node and each.state == "up"]
    return sorted(set(node.workflows) - {name for each in others for name in each.workflows})


def silence_of(node: NodeRow, watched: WatchedNode | None, looking: float) -> str | None:
    """Return in words that a node does not report, None if it does."""
    if node.state == "lost":
        return (
            f"Node {node.node} is lost: none of its processes has renewed its lease for "
            f"{node.lease_age:.0f} seconds. Other nodes take over what it had; nothing is lost."
        )
    if watched is None:
        return None
    if watched.unreadable:
        return "The node runs another release, whose report this one cannot read."
    if watched.report is not None and watched.age is not None and watched.age < SILENT_AFTER_SECONDS:
        return None
    if looking < ANSWER_SECONDS:
        return "The node was asked to report. It answers within a few seconds, and then each second."
    last = "It has not reported yet" if watched.age is None else f"It reported last {watched.age:.0f} s ago"
    return (
        f"The node does not answer. {last}, and renewed its leases {node.lease_age:.0f} s ago. It may be cut "
        "off from the database, stopped, or of an earlier release, which does not report."
    )


def seen_by(watched: WatchedNode, operator: bool) -> WatchedNode:
    """Return a report as a visitor may see it: stacks and the texts of exceptions are for operators."""
    if operator:
        return watched
    report = None if watched.report is None else _without_texts(watched.report)
    return dataclasses.replace(watched, report=report, stacks=None, stacks_age=None)


def _without_texts(report: NodeReport) -> NodeReport:
    processes = tuple(
        dataclasses.replace(each, tree=None if each.tree is None else _plain(each.tree))
        for each in report.processes
    )
    return dataclasses.replace(report, processes=processes)


def _plain(actor: ActorReport) -> ActorReport:
    children = tuple(map(_plain, actor.children))
    return dataclasses.replace(actor, why=None, crash=None, children=children)


NODE = Page(
    "/nodes/{node:path}", "node.html", read, Node, "one node, and its live tree of processes and actors"
)
