"""Cuts that would count on what has been undone, where the history of the run alone does not show it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from continuum import ChildFailed, CutRefused, RunFailed, Signal, activity, saga, workflow
from continuum.client import RunHandle
from continuum.engine.events import Forking
from continuum.engine.ids import parse_run_id
from continuum.operations.forks import plan
from continuum.testing import Environment
from tests.unit.operations.cutting import nothing_is_found

LONG = timedelta(days=30)

go = Signal("go", str)
calls: list[str] = []
broken: set[str] = set()


@pytest.fixture(autouse=True)
def nothing_is_broken() -> None:
    calls.clear()
    broken.clear()


@activity(name="undone_do")
async def do(what: str) -> str:
    """Do something, unless it is broken."""
    calls.append(what)
    if what in broken:
        raise OSError(f"{what} is broken")
    return what


@activity(name="undone_charge", idempotency_key="charge:{what}")
async def charge(what: str) -> str:
    """Charge once for each key."""
    calls.append(f"charge {what}")
    return what


@activity(name="undone_undo")
async def undo(what: str) -> None:
    """Undo something."""
    calls.append(f"undo {what}")


@workflow(name="undone_begun_before")
async def begun_before() -> str:
    """Begin something before the block that undoes it."""
    charging = asyncio.create_task(do("charge"))
    await do("other")
    async with saga() as block:
        block.add(undo, await charging)
        await do("ship")
    return "shipped"


@workflow(name="undone_signalled", signals=[go])
async def signalled() -> str:
    """Undo the first thing if the last one fails."""
    async with saga() as block:
        block.add(undo, await do("charge"))
        await go.wait()
        await do("ship")
    return "shipped"


@workflow(name="undone_keyed", signals=[go])
async def keyed() -> str:
    """Undo a charge that has a key if the last thing fails."""
    async with saga() as block:
        block.add(undo, await charge("order"))
        await go.wait()
        await do("ship")
    return "shipped"


@workflow(name="undone_child", signals=[go])
async def child() -> str:
    """Wait for a signal, then do something."""
    await go.wait()
    return await do("in the child")


@workflow(name="undone_parent", signals=[go])
async def parent() -> str:
    """Start a child that may outlive this, and fail unless told to wait for it."""
    started = await child.start_child(parent_close_policy="abandon")
    if await go.wait() == "fail":
        raise ValueError("told to fail")
    try:
        return await started
    except ChildFailed:
        return "heard"


async def failed(run: RunHandle[Any]) -> None:
    with pytest.raises(RunFailed):
        await run.result(timeout=LONG)


async def test_a_block_may_undo_a_call_that_began_before_it(continuum_env: Environment) -> None:
    other_done = asyncio.Event()

    async def slow(what: str) -> str:
        calls.append(what)
        if what == "charge":
            await other_done.wait()
        if what == "other":
            other_done.set()
        if what in broken:
            raise OSError(what)
        return what

    with continuum_env.mock_activity(do, slow):
        broken.add("ship")
        run = await continuum_env.start(begun_before)
        await failed(run)
        assert calls[-1] == "undo charge"
        broken.clear()
        calls.clear()

        with pytest.raises(CutRefused, match="has undone since") as refused:
            await run.restart()
        assert refused.value.nearest == 1
        assert await (await run.reset(at=1)).result(timeout=LONG) == "shipped"
        assert "charge" in calls
    await nothing_is_found(continuum_env)


async def test_an_open_run_is_not_reset_while_it_compensates(continuum_env: Environment) -> None:
    undone = asyncio.Event()

    async def slow(what: str) -> None:
        calls.append(f"undo {what}")
        await undone.wait()

    with continuum_env.mock_activity(undo, slow):
        broken.add("ship")
        run = await continuum_env.start(signalled)
        await run.signal(go, "now")
        await continuum_env.settle()
        assert calls[-1] == "undo charge"

        events = await run.history()
        with pytest.raises(CutRefused, match="undoes what the run did") as refused:
            await run.reset(at=len(events))
        assert refused.value.nearest == 0
        undone.set()
        await failed(run)
    assert calls.count("undo charge") == 1
    await nothing_is_found(continuum_env)


async def test_a_compensation_that_was_pending_is_shown(continuum_env: Environment) -> None:
    stuck = asyncio.Event()

    async def slow(what: str) -> None:
        await stuck.wait()

    with continuum_env.mock_activity(undo, slow):
        broken.add("ship")
        run = await continuum_env.start(signalled)
        await run.signal(go, "now")
        await continuum_env.settle()
        await run.cancel(force=True)
        row = await continuum_env._memory.get_run(parse_run_id(run.id))
        assert row is not None
        found = await plan(continuum_env._memory, row, Forking.RESET, len(await run.history()))
        assert [call.name for call in found.cut.runs_again] == ["undone_undo"]
        stuck.set()


async def test_a_call_that_a_successor_has_undone_is_not_forked(continuum_env: Environment) -> None:
    run = await continuum_env.start(signalled)
    await continuum_env.settle()
    successor = await run.reset(at=2)
    broken.add("ship")
    await successor.signal(go, "now")
    await failed(successor)
    assert calls[-1] == "undo charge"

    with pytest.raises(CutRefused, match="has undone since") as refused:
        await continuum_env.fork(run.id, at=2)
    assert refused.value.nearest == 0
    broken.clear()
    calls.clear()
    forked = await continuum_env.fork(run.id, at=0)
    await forked.signal(go, "now")
    assert (await forked.result(), calls) == ("shipped", ["charge", "ship"])
    await nothing_is_found(continuum_env)


async def test_a_call_under_a_key_that_was_undone_is_not_made_again(continuum_env: Environment) -> None:
    broken.add("ship")
    run = await continuum_env.start(keyed)
    await run.signal(go, "now")
    await failed(run)
    broken.clear()

    for change in (run.restart(), run.reset(at=0), run.fork(at=0)):
        with pytest.raises(CutRefused, match="under the idempotency key 'charge:order'") as refused:
            await change
        assert refused.value.nearest is None
    assert (await run.explain()).causes[0].fixes == ()
    await nothing_is_found(continuum_env)


async def test_a_key_that_a_successor_has_undone_refuses_a_fork_too(continuum_env: Environment) -> None:
    run = await continuum_env.start(keyed)
    await continuum_env.settle()
    successor = await run.reset(at=0)
    broken.add("ship")
    await successor.signal(go, "now")
    await failed(successor)

    with pytest.raises(CutRefused, match="under the idempotency key"):
        await continuum_env.fork(run.id, at=0)
    await nothing_is_found(continuum_env)


async def test_a_child_whose_end_a_reset_of_its_parent_has_received_is_refused(
    continuum_env: Environment,
) -> None:
    run = await continuum_env.start(parent)
    await run.signal(go, "fail")
    await failed(run)
    (started,) = (await continuum_env.query([("workflow", "eq", "undone_child")])).entries
    broken.add("in the child")
    await continuum_env.advance(timedelta(hours=1))
    await continuum_env.signal(started.id, go, "now")
    await failed(continuum_env.handle(started.id))

    # As long as nobody has heard, the child may be restarted.
    assert (await continuum_env.cut(started.id, "restart")).runs_again
    again = await run.reset(at=1, signals="drop")
    await again.signal(go, "wait")
    assert await again.result(timeout=LONG) == "heard"
    with pytest.raises(CutRefused, match="has received its end"):
        await continuum_env.restart(started.id)
    await nothing_is_found(continuum_env)
