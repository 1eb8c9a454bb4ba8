"""Builders for families and chains: a parent with a claimed child, a run and its successor."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.port import (
    ClaimedRun,
    ClosePolicy,
    Journal,
    NewChild,
    RunState,
    RunWrite,
    Successor,
    Transition,
    Worker,
)
from tests.contract.builders import claim, commit, end, owned_run, write


def new_child(
    seq: int = 1, close_policy: ClosePolicy = ClosePolicy.CASCADE, workflow: str = "orders"
) -> NewChild:
    """Return a child to start."""
    return NewChild(seq, RunId(str(uuid4())), workflow, b"child input", close_policy)


def family_write(run: ClaimedRun, *events: Event, **facts: Any) -> RunWrite:
    """Return a write of the owner of a run that belongs to a family."""
    return write(run, *events, depth=run.depth, parent=run.parent, **facts)


async def claimed_child(
    journal: Journal,
    worker: Worker,
    parent: ClaimedRun,
    seq: int = 1,
    policy: ClosePolicy = ClosePolicy.CASCADE,
) -> ClaimedRun:
    """Start a child of `parent`, and claim it."""
    child = new_child(seq, policy)
    await commit(journal, worker, family_write(parent, children=[child]))
    (claimed,) = [run for run in await claim(journal, worker) if run.id == child.id]
    return claimed


async def parent_and_child(
    journal: Journal, worker: Worker, policy: ClosePolicy = ClosePolicy.CASCADE
) -> tuple[ClaimedRun, ClaimedRun]:
    """Return a claimed parent and its claimed child."""
    parent = await owned_run(journal, worker)
    return parent, await claimed_child(journal, worker, parent, policy=policy)


async def finish(journal: Journal, worker: Worker, run: ClaimedRun, **facts: Any) -> None:
    """End a run, completed by default."""
    await commit(journal, worker, family_write(run, transition=end(**facts)))


async def suspend(journal: Journal, worker: Worker, run: ClaimedRun) -> None:
    """Suspend a run without an owner and without a due time."""
    await commit(journal, worker, family_write(run, transition=Transition(RunState.SUSPENDED, None, True)))


async def block(journal: Journal, worker: Worker, run: ClaimedRun) -> None:
    """Block a run."""
    await commit(journal, worker, family_write(run, transition=Transition(RunState.BLOCKED, reason="drift")))


async def continue_as_new(journal: Journal, worker: Worker, run: ClaimedRun, **facts: Any) -> ClaimedRun:
    """Continue a run as new, and claim its successor."""
    successor = Successor(RunId(str(uuid4())), "orders", b"next input")
    await commit(
        journal, worker, family_write(run, transition=end(result=None), successor=successor, **facts)
    )
    (claimed,) = [each for each in await claim(journal, worker) if each.id == successor.id]
    return claimed
