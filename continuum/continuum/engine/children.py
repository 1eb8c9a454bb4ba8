"""Child runs: starting and cancelling them.

A child's id is derived from its parent's id and the command that starts it, so neither a
replay nor a repeated commit can make a second one. The history has a digest of its input.
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

# How many ancestors a run may have. Cancelling a run also cancels everything below it, parents first;
# and a workflow that starts itself without end must fail before the database is full.
MAX_CHILD_DEPTH = 10


class ClosePolicy(IntEnum):
    """What the end of a parent does to a child that has not ended."""

    CASCADE = 1  # cancelling the parent cancels it; any other end leaves it alone
    CANCEL = 2  # every end of the parent cancels it
    ABANDON = 3  # no end of the parent cancels it


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
    """Start a child; its result arrives in the future of the returned entry."""
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
        never_done = _future(execution)
        return PendingChild(-1, RunId(""), workflow, input, close_policy, definition, never_done)
    if event.body[4] != digest:
        log.refuse(other_input(event, caller(site), where(site)))
    child = PendingChild(
        event.seq, event.body[3], workflow, input, event.body[5], definition, _future(execution), at=event.at
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
    """Cancel a child, unless it has ended or was cancelled before."""
    children = execution.children
    if child.stopping or children is None or children.get(child.seq) is not child:
        return
    recorded = execution.log.replaying
    event = execution.log.command(EventType.CHILD_CANCEL_REQUESTED, child.run_id, site, ())
    child.stopping = True
    if not recorded:
        execution.next_outgoing().cancels.append((event.seq, child.run_id))


def abandon_child(execution: Execution, child: PendingChild, site: Site) -> None:
    """Cancel a child that no code waits for any more; its result will be dropped."""
    stop_child(execution, child, site)
    if execution.children is not None:
        execution.children.pop(child.seq, None)
