"""To look at a node: have it report, and read what it has reported."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from continuum.engine.ids import NodeId
from continuum.journal.node_report_port import NodeReports, StoredReport
from continuum.operations.node_report import NodeReport, ProcessStacks
from continuum.operations.stored_records import UnreadableRecord, read_record

# A node reports for so long after a look; those who stay look again before that.
LOOK_SECONDS = 10.0
# A node learns with its next renewal that somebody looks, at most five seconds later; a process may take a
# second to answer, and the database as long.
ANSWER_SECONDS = 7.0
# Between two readings by somebody who waits for an answer.
READ_EVERY_SECONDS = 0.1
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class WatchedNode:
    """What a node has reported as last; ages are in seconds, None without a report, or without stacks.

    Without `report` it has not answered, or with `unreadable` in a way that this release cannot read. The
    `stacks` answer the request of the number `stacks_for`.
    """

    node: str
    report: NodeReport | None = None
    age: float | None = None
    stacks: tuple[ProcessStacks, ...] | None = None
    stacks_for: int = 0
    stacks_age: float | None = None
    unreadable: bool = False


async def watch_node(journal: NodeReports, node: str, *, stacks: bool = False) -> int | None:
    """Have a node report for `LOOK_SECONDS`, and with `stacks` bring its stacks once.

    Return the number of the latest request for stacks, None if there is no such node.
    """
    return await journal.want_report(NodeId(node), LOOK_SECONDS, stacks=stacks)


async def watched_node(journal: NodeReports, node: str) -> WatchedNode:
    """Return what a node has reported as last."""
    stored = await journal.node_report(NodeId(node))
    return WatchedNode(node) if stored is None else _read(node, stored)


async def ask_node(
    journal: NodeReports, node: str, *, stacks: bool = False, wait: float = ANSWER_SECONDS
) -> WatchedNode | None:
    """Have a node report and wait for the answer, up to `wait` seconds; None if there is no such node.

    Without an answer in time the record has no report, though the node may have reported before.
    """
    loop = asyncio.get_running_loop()
    before = await journal.node_report(NodeId(node))
    earlier = None if before is None else before.reported_at
    number = await watch_node(journal, node, stacks=stacks)
    if number is None:
        return None
    until = loop.time() + wait
    while True:
        stored = await journal.node_report(NodeId(node))
        if (
            stored is not None
            and stored.reported_at != earlier
            and (not stacks or stored.stacks_for >= number)
        ):
            return _read(node, stored)
        if loop.time() >= until:
            return WatchedNode(node)
        await asyncio.sleep(READ_EVERY_SECONDS)


def _read(node: str, stored: StoredReport) -> WatchedNode:
    try:
        report = None if stored.report is None else read_record(NodeReport, stored.report)
        stacks = None if stored.stacks is None else _read_stacks(stored.stacks)
    except UnreadableRecord:
        return WatchedNode(node, unreadable=True)
    return WatchedNode(
        node,
        report,
        _age(stored.reported_at, stored.read_at),
        stacks,
        stored.stacks_for,
        _age(stored.stacks_at, stored.read_at),
    )


def _read_stacks(stored: Any) -> tuple[ProcessStacks, ...]:
    if not isinstance(stored, list):
        raise UnreadableRecord("no list of stacks")
    return tuple(read_record(ProcessStacks, each) for each in stored)


def _age(at: int | None, now: int) -> float | None:
    return None if at is None else max(0.0, (now - at) / MICROSECONDS)
