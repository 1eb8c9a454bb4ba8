"""Explains one run: reads its situation and those of the children it waits for, and names the causes.

Nothing here needs workflow code. Reading is bounded: a few statements for the run and each child that
is followed, all at one moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from continuum.engine.ids import RunId, parse_run_id
from continuum.journal.facts import NodeRow, RunState
from continuum.journal.situation import Situation, Situations
from continuum.journal.wait import could_end
from continuum.journal.worker_port import Workers
from continuum.operations.commands import in_schema
from continuum.operations.ended_causes import blocked, ended
from continuum.operations.executing_causes import executing, is_executing
from continuum.operations.explanation import Cause, Explanation, Fix
from continuum.operations.family_walk import CutRuns
from continuum.operations.ownership_causes import ownership_causes, ready, unrecorded
from continuum.operations.pause_causes import paused
from continuum.operations.scene import Scene
from continuum.operations.wait_causes import wait_causes, waits_for_nothing
from continuum.operations.ways_on import try_now, ways_on

# So many children of a run are followed down to what holds them; the others are named.
FOLLOWED_CHILDREN = 3
# A family is followed through so many generations, as many as there may be.
FOLLOWED_GENERATIONS = 10


class Explained(Situations, Workers, CutRuns, Protocol):
    """The part of a journal that explains runs."""


async def explain(journal: Explained, run_id: RunId) -> Explanation | None:
    """Return why a run is where it is; None without such a run."""
    async with journal.one_moment() as moment:
        return await _explain(moment, run_id, await moment.nodes(), FOLLOWED_GENERATIONS)


async def _explain(
    journal: Explained, run_id: RunId, nodes: Sequence[NodeRow], generations: int
) -> Explanation | None:
    situation = await journal.situation(run_id)
    if situation is None:
        return None
    children: dict[str, Explanation] = {}
    for child in _to_follow(situation, nodes)[:FOLLOWED_CHILDREN] if generations else ():
        found = await _explain(journal, child, nodes, generations - 1)
        if found is not None:
            children[child] = found
    if generations < FOLLOWED_GENERATIONS:
        # Nobody shows how a child continues.
        return explained(situation, nodes, children)
    ways = await ways_on(journal, situation.run, short=situation.first == 0)
    ways = ways or await try_now(journal, situation)
    found = explained(situation, nodes, children, ways)
    return found.with_commands(lambda command: in_schema(command, situation.schema))


def _to_follow(situation: Situation, nodes: Sequence[NodeRow]) -> list[RunId]:
    """Return the children whose causes are those of the run: open ones, or the one that made it fail."""
    if situation.run.state is RunState.FAILED:
        failed = Scene(situation, nodes).history.failed_child
        try:
            return [] if failed is None else [parse_run_id(failed)]
        except ValueError:
            # The history is damaged.
            return []
    return [] if situation.run.state.terminal else [child.id for child in situation.children]


def explained(
    situation: Situation,
    nodes: Sequence[NodeRow],
    children: Mapping[str, Explanation],
    ways: Sequence[Fix] = (),
) -> Explanation:
    """Return why a run is where it is, from facts alone."""
    scene = Scene(situation, nodes, children, ways)
    causes = tuple(_without_another_cancel(scene, _causes(scene)))
    run = situation.run
    return Explanation(run.id, run.workflow, run.state.name.lower(), causes[0].sentence, causes)


def _without_another_cancel(scene: Scene, causes: list[Cause]) -> list[Cause]:
    """Remove the request to stop from the fixes of a run that has it already."""
    if not scene.cancel_requested_at[0]:
        return causes
    again = scene.cancel().command
    return [
        replace(cause, fixes=tuple(fix for fix in cause.fixes if fix.command != again)) for cause in causes
    ]


def _held_back(scene: Scene, waits: Iterable[Cause]) -> Iterator[Cause]:
    """Yield what a run waits for that could not continue: what comes does not wake it, and no time does."""
    for cause in waits:
        by = cause.wakes_by
        if by is None or cause.code == "paused":
            yield cause
        else:
            late = "" if by.endswith(scene.waker) else ", once the run can continue"
            yield replace(cause, wakes_by=f"{by}{late}", wakes_at=None)


def _causes(scene: Scene) -> list[Cause]:
    """Return the causes of a run's state, at least one, the one that holds it first."""
    run = scene.run
    if run.state.terminal:
        return [ended(scene)]
    if run.state is RunState.BLOCKED:
        return [blocked(scene)]
    if run.pause is not None:
        # Nobody needs to have its code while it is paused.
        return [paused(scene, run.pause), *_held_back(scene, wait_causes(scene))]
    held, waits = list(ownership_causes(scene)), list(wait_causes(scene))
    if not held and is_executing(scene, waits):
        held = [executing(scene)]
    if held or waits:
        return [*held, *(waits if scene.can_continue else _held_back(scene, waits))]
    if run.waits is None:
        return [unrecorded(scene)]
    if not could_end(run.waits):
        return [waits_for_nothing(scene)]
    # What it waited for has come.
    return [ready(scene) if scene.owner is None else executing(scene)]
