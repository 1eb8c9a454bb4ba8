"""What must hold after every schedule, by the order of commits and by what is stored then."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.port import RunState
from tests.contract.builders import worker_of
from tests.interleavings.world import Done, World

WRITES = ("write", "end", "continue", "release", "take", "resume", "create")


class Violated(AssertionError):
    """A schedule broke an invariant."""


async def check(world: World) -> None:
    """Raise `Violated` if the schedule broke an invariant."""
    _check_order(world)
    await _check_owners(world)
    created = {
        run_id
        for done in world.committed
        if done.what in ("create", "start") and done.accepted
        for run_id, _ in done.runs
    }
    for run_id in [*world.ids, *sorted(created - set(world.ids))]:
        await _check_run(world, run_id)
    for run_id in set(world.new_ids.values()) - created:
        if await world.journal.get_run(run_id) is not None:
            raise Violated("a run exists that nobody was told to have created")


def _check_order(world: World) -> None:
    retired: set[int] = set()
    tokens = {run.id: run.token for run in world.runs}
    ended: set[RunId] = set()
    closed: set[RunId] = set()  # those without a successor that gets their mail
    mailed: set[RunId] = set()
    for done in world.committed:
        if done.what in (*WRITES, "claim") and done.accepted:
            if done.worker in retired and done.runs:
                raise Violated(f"{done.actor} committed a {done.what} after its worker was retired")
            for run_id, token in done.runs:
                known = tokens.get(run_id, 0)
                _check_token(done, token, known)
                if done.what == "take" and run_id in mailed:
                    raise Violated(f"{done.actor} took a run that had mail")
                if run_id in ended:
                    raise Violated(f"{done.actor} committed a {done.what} to a run that had ended")
                tokens[run_id] = max(token, known)
        if done.what in ("end", "continue", "force_cancel") and done.accepted:
            ended |= {run_id for run_id, _ in done.runs}
            closed |= ended if done.what != "continue" else set()
        if done.what == "post" and done.accepted:
            mailed |= {run_id for run_id, _ in done.runs}
        if done.what == "retire" and done.accepted:
            retired.add(done.worker)
        if done.what == "post" and done.accepted and any(run_id in closed for run_id, _ in done.runs):
            raise Violated("mail was accepted by a run that had ended")


def _check_token(done: Done, token: int, known: int) -> None:
    if done.what in ("claim", "take", "resume") and token <= known:
        raise Violated(f"the token of a {done.what} is {token}, after {known}")
    if done.what == "take" and known:
        raise Violated(f"{done.actor} took a run that had an owner before")
    if done.what not in ("claim", "take", "resume") and token < known:
        raise Violated(f"{done.actor} wrote with token {token} after a claim with {known}")


async def _check_run(world: World, run_id: RunId) -> None:
    journal = world.journal
    row = await journal.get_run(run_id)
    assert row is not None
    writes = [
        done
        for done in world.committed
        if done.what in WRITES and done.accepted and run_id in dict(done.runs)
    ]
    events = (await journal.load([run_id]))[run_id]
    await _check_attempts(world, run_id, events)
    if len(events) != len(writes):
        raise Violated(f"{len(writes)} writes were accepted and {len(events)} events are there")
    alive = {worker.id for worker in world.workers if await _is_alive(world, worker.id)}
    if row.owner is not None and row.owner not in alive:
        raise Violated(f"the run is owned by worker {row.owner}, which has retired")
    posts = sum(done.what == "post" and run_id in dict(done.runs) for done in world.committed)
    posts -= sum(done.consumed for done in writes)
    while row.continued_to is not None:
        row = await journal.get_run(row.continued_to)
        assert row is not None
    run_id = row.id
    if not posts or row.state.terminal:
        return
    owner = next((worker for worker in world.workers if worker.id == row.owner), None)
    if owner is None:
        owner = await worker_of(journal, "the next")
        world.workers.append(owner)
        claimed = await journal.claim(owner, world.code, 10)
        if run_id not in {run.id for run in claimed}:
            raise Violated("a run with mail and without an owner is not claimable: the wake was lost")
    mail = [entry for entry in await journal.inbox(owner, [run_id]) if entry.run_id == run_id]
    if len(mail) != posts:
        raise Violated(f"{posts} posts were accepted and {len(mail)} are in the inbox")
    if row.state is RunState.BLOCKED:
        raise Violated("the run is blocked")


async def _check_owners(world: World) -> None:
    """Raise unless runs that somebody has repaired have the owner that they were given last."""
    if not any(done.what == "repair" for done in world.committed):
        return
    for run_id in world.ids:
        given: int | None = next((world.workers[0].id for run in world.runs if run.id == run_id), None)
        for done in world.committed:
            if done.accepted and run_id in dict(done.runs):
                given = done.worker if done.what == "claim" else None if done.what == "release" else given
            if done.what == "retire" and done.accepted and done.worker == given:
                given = None
        row = await world.journal.get_run(run_id)
        if row is None or row.owner != given:
            raise Violated(f"a repair has taken a run from worker {given}")


async def _check_attempts(world: World, run_id: RunId, events: Sequence[Event]) -> None:
    attempts = [done for done in world.committed if done.what == "attempt" and run_id in dict(done.runs)]
    if not attempts:
        return
    rows = await world.journal.inbox(world.workers[0], [run_id])
    received = [event for event in events if event.body[2:] == (world.secret,)]
    arrived = len(received) + sum(row.key == world.secret for row in rows)
    if arrived != 1 or sum(done.accepted for done in attempts) != 1:
        raise Violated(f"a signal that was posted in {len(attempts)} attempts has arrived {arrived} times")


async def _is_alive(world: World, worker: int) -> bool:
    for node in {worker.node for worker in world.workers}:
        if worker in {known for known, _ in await world.journal.node_workers(node)}:
            return True
    return False
