"""Runs that a run starts, and asks to stop.

A child's id follows from its parent's id and the command that starts it, so neither a
replay nor a repeated commit can make a second one. Its input is told by a digest.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import Any

from continuum.engine.call_site import Site, caller, where
from continuum.engine.control import Control
from continuum.engine.drift_messages import other_input
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import RunId, child_run_id, digest_of
from continuum.engine.pending import PendingChild
from continuum.errors import ChildrenTooDeep

# How many ancestors a run may have. A cancelled run is cancelled with everything below it, parents
# first; and a workflow that starts itself without end is found out before the database is full.
MAX_CHILD_DEPTH = 10


class ClosePolicy(IntEnum):
    """What the end of a parent does to a child that still lives."""

    CASCADE = 1  # a cancelled parent asks it to stop; any other end leaves it alone
    CANCEL = 2  # any end of the parent asks it to stop
    ABANDON = 3  # none does


def start_child(
    execution: Execution,
    workflow: str,
    site: Site,
    input: bytes,
    *,
    id: str | None,
    close_policy: int,
    definition: Any,
) -> PendingChild:
    """Ask for a child; its end arrives in the returned entry's future."""
    log = execution.log
    try:
        log.check()
        if execution.depth >= MAX_CHILD_DEPTH:
            raise ChildrenTooDeep(workflow, MAX_CHILD_DEPTH)
        digest = digest_of(input)
        recorded = log.replaying
        run_id = "" if recorded else child_run_id(execution.info.run_id, log.next_seq, id)
        event = log.command(EventType.CHILD_STARTED, workflow, site, (run_id, digest, close_policy))
    except Control:
        if not log.refused_too_often:
            raise
        nobody = PendingChild(-1, RunId(""), workflow, input, close_policy, definition, _future(execution))
        return nobody
    if event.body[4] != digest:
        log.refuse(other_input(event, caller(site), where(site)))
    child = PendingChild(
        event.seq, event.body[3], workflow, input, event.body[5], definition, _future(execution)
    )
    if execution.children is None:
        execution.children = {}
    execution.children[event.seq] = child
    if not recorded:
        execution.next_outgoing().children.append(child)
    return child


def _future(execution: Execution) -> asyncio.Future[bytes]:
    return asyncio.Future(loop=execution.loop)


def stop_child(execution: Execution, child: PendingChild, site: Site) -> None:
    """Ask a child to stop, unless it has ended or was asked before."""
    children = execution.children
    if child.stopping or children is None or children.get(child.seq) is not child:
        return
    recorded = execution.log.replaying
    event = execution.log.command(EventType.CHILD_CANCEL_REQUESTED, child.run_id, site, ())
    child.stopping = True
    if not recorded:
        execution.next_outgoing().cancels.append((event.seq, child.run_id))


def abandon_child(execution: Execution, child: PendingChild, site: Site) -> None:
    """Ask a child to stop that nobody will wait for any more; how it ends is dropped."""
    stop_child(execution, child, site)
    if execution.children is not None:
        execution.children.pop(child.seq, None)
