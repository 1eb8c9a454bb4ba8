"""Cuts that would count on what another run has undone: a fork, its origin, or a run that continues it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Literal

import pytest

from continuum import CutRefused, RunFailed, Saga, Signal, activity, continue_as_new, saga, workflow
from continuum.client import RunHandle
from continuum.engine.ids import parse_run_id
from continuum.testing import Environment
from tests.unit.operations.cutting import nothing_is_found

LONG = timedelta(days=30)

go = Signal("go", str)
calls: list[str] = []


@pytest.fixture(autouse=True)
def nothing_is_called() -> None:
    calls.clear()


@activity(name="related_do")
async def do(what: str) -> str:
    """Do something."""
    calls.append(what)
    return what


@activity(name="related_charge", idempotency_key="charge:{what}")
async def charge(what: str) -> str:
    """Charge once for each key."""
    calls.append(f"charge {what}")
    return what


@activity(name="related_undo")
async def undo(what: str) -> None:
    """Undo something."""
    calls.append(f"undo {what}")


@workflow(name="related_order", signals=[go])
async def order() -> str:
    """Charge, wait, and ship or refund."""
    await do("look")
    async with saga() as block:
        block.add(undo, await do("charge"))
        if await go.wait() == "fail":
            raise ValueError("told to fail")
    return await do("ship")


@workflow(name="related_keyed", signals=[go])
async def keyed() -> str:
    """Charge under a key, wait, and ship or refund."""
    async with saga() as block:
        block.add(undo, await charge("order"))
        if await go.wait() == "fail":
            raise ValueError("told to fail")
    return await do("ship")


@workflow(name="related_again", signals=[go])
async def again(payment: str | None = None) -> str:
    """Charge, continue as new with the payment, and ship or refund there."""
    if payment is None:
        charged = await do("charge")
        await go.wait()
        continue_as_new(charged)
    undoing = Saga()
    undoing.add(undo, payment)
    async with saga() as block:
        block.add(undo, await do("reserve"))
        match await go.wait():
            case "refund":
                await undoing.compensate()
                return "refunded"
            case "release":
                await block.compensate()
                return "released"
            case _:
                return await do("ship")


@workflow(name="related_child", signals=[go])
async def child() -> str:
    """Charge, wait, and end or refund."""
    async with saga() as block:
        block.add(undo, await do("charge"))
        if await go.wait() == "fail":
            raise ValueError("told to fail")
    return "charged"


@workflow(name="related_parent", signals=[go])
async def parent() -> str:
    """Have a child charge, wait, and ship or refund what the child has charged."""
    await do("look")
    async with saga() as block:
        block.add(undo, await child())
        if await go.wait() == "fail":
            raise ValueError("told to fail")
    return await do("ship")


async def failed(run: RunHandle[Any]) -> None:
    with pytest.raises(RunFailed):
        await run.result(timeout=LONG)


async def refused(change: Awaitable[object]) -> tuple[str, int | None]:
    """Return why a cut is refused, and the last one before it that works."""
    with pytest.raises(CutRefused) as error:
        await change
    return error.value.why, error.value.nearest


async def waiting_order(env: Environment) -> RunHandle[Any]:
    """Return a run that has charged: events 2 and 3, before the signal of event 4."""
    run = await env.start(order)
    await env.settle()
    assert [event.type for event in await run.history()] == ["activity_scheduled", "activity_completed"] * 2
    return run


async def remove(env: Environment, run: RunHandle[Any]) -> None:
    row = await env._memory.get_run(parse_run_id(run.id))
    assert row is not None
    assert env._memory._remove_ended(env._memory._runs[row.id])


async def test_a_fork_that_has_refunded_refuses_a_reset_of_its_origin(continuum_env: Environment) -> None:
    run = await waiting_order(continuum_env)
    forked = await run.fork(at=4)
    await forked.signal(go, "fail")
    await failed(forked)
    assert calls[-1] == "undo charge"

    why, nearest = await refused(run.reset(at=4))
    assert (f"of run {forked.id}) has undone since" in why, nearest) == (True, 2)
    assert (await refused(run.fork(at=4)))[1] == 2
    calls.clear()
    new = await run.reset(at=2)
    await new.signal(go, "ship")
    assert (await run.result(), calls) == ("ship", ["charge", "ship"])
    await nothing_is_found(continuum_env)


async def test_a_run_that_failed_is_not_restarted_once_a_fork_has_refunded(
    continuum_env: Environment,
) -> None:
    run = await waiting_order(continuum_env)
    forked = await run.fork(at=4)
    await run.cancel(force=True)
    await forked.signal(go, "fail")
    await failed(forked)
    assert (await refused(run.reset(at=4)))[1] == 2
    assert (await refused(continuum_env.cut(run.id, "reset", at=4)))[1] == 2
    # The fork may undo its own calls.
    assert (await continuum_env.cut(run.id, "reset", at=2)).at == 2


async def test_a_run_that_has_refunded_refuses_resets_of_its_forks(continuum_env: Environment) -> None:
    run = await waiting_order(continuum_env)
    first, second = await run.fork(at=4), await run.fork(at=2)
    third = await first.fork(at=4)
    await continuum_env.settle()
    await run.signal(go, "fail")
    await failed(run)

    for forked, shared in ((first, 2), (third, 2)):
        why, nearest = await refused(forked.reset(at=5))
        assert (f"of run {run.id})" in why, nearest) == (True, shared), forked
    # This one has charged by itself.
    assert (await continuum_env.cut(second.id, "reset", at=5)).at == 5


async def test_a_fork_that_has_refunded_refuses_resets_of_other_forks(continuum_env: Environment) -> None:
    run = await waiting_order(continuum_env)
    first, second = await run.fork(at=4), await run.fork(at=4)
    of_second = await second.fork(at=5)
    await first.signal(go, "fail")
    await failed(first)
    for forked in (second, of_second):
        why, nearest = await refused(forked.reset(at=5))
        assert (f"of run {first.id})" in why, nearest) == (True, 2)
    await nothing_is_found(continuum_env)


async def test_a_run_that_a_fork_was_reset_to_counts_as_well(continuum_env: Environment) -> None:
    run = await waiting_order(continuum_env)
    forked = await run.fork(at=4)
    latest = await (await forked.reset(at=4)).reset(at=4)
    of_latest = await latest.fork(at=4)
    await of_latest.signal(go, "fail")
    await failed(of_latest)
    for one in (run, latest):
        assert (await refused(one.reset(at=4)))[1] == 2


async def test_a_fork_that_has_shipped_refuses_nothing(continuum_env: Environment) -> None:
    run = await waiting_order(continuum_env)
    forked = await run.fork(at=4)
    await forked.signal(go, "ship")
    assert await forked.result() == "ship"
    assert (await run.reset(at=4)).id != run.id


async def test_a_run_that_continues_another_as_new_may_have_undone_what_that_did(
    continuum_env: Environment,
) -> None:
    run = await continuum_env.start(again)
    await continuum_env.settle()
    forked = await run.fork(at=2)
    await run.signal(go, "now")
    await continuum_env.settle()
    # What is there to undo in a run that continues is not undone yet.
    assert (await continuum_env.cut(run.id, "fork", at=2)).at == 2
    await run.signal(go, "refund")
    assert await run.result() == "refunded"

    assert (await refused(continuum_env.fork(run.id, at=2)))[1] == 0
    why, nearest = await refused(forked.reset(at=2))
    assert ("has undone since what the run did" in why, nearest) == (True, 0)
    await nothing_is_found(continuum_env)


async def test_a_run_that_continues_another_as_new_may_undo_its_own_calls(continuum_env: Environment) -> None:
    run = await continuum_env.start(again)
    for value in ("now", "release"):
        await run.signal(go, value)
    assert await run.result() == "released"
    assert (await continuum_env.cut(run.id, "fork", at=2)).at == 2


async def test_a_fork_of_what_continues_a_run_may_have_undone_what_that_did(
    continuum_env: Environment,
) -> None:
    run = await continuum_env.start(again)
    await run.signal(go, "now")
    await continuum_env.settle()
    latest = (await run.get()).continued_to
    assert latest is not None
    forked = await continuum_env.fork(latest, at=2)
    await forked.signal(go, "refund")
    assert await forked.result() == "refunded"
    assert (await refused(continuum_env.fork(run.id, at=2)))[1] == 0


async def test_a_key_that_a_fork_from_the_start_has_undone_refuses_a_reset(
    continuum_env: Environment,
) -> None:
    run = await continuum_env.start(keyed)
    await continuum_env.settle()
    forked = await run.fork(at=0)
    await forked.signal(go, "fail")
    await failed(forked)
    assert calls == ["charge order", "undo order"]

    for at in (0, 2):
        why, nearest = await refused(run.reset(at=at))
        assert ("under the idempotency key 'charge:order'" in why, nearest) == (True, None)


async def test_a_fork_that_was_removed_may_have_undone_what_it_began_with(
    continuum_env: Environment,
) -> None:
    run = await waiting_order(continuum_env)
    forked = await run.fork(at=4)
    of_forked = await forked.fork(at=4)
    await forked.signal(go, "fail")
    await failed(forked)
    await remove(continuum_env, forked)

    for one in (run, of_forked):
        why, nearest = await refused(one.reset(at=4))
        assert (f"run {forked.id}" in why and "was removed" in why, nearest) == (True, 0)
    assert (await run.reset(at=0)).id != run.id


async def test_a_run_that_had_ended_before_its_fork_was_made_may_be_removed(
    continuum_env: Environment,
) -> None:
    run = await waiting_order(continuum_env)
    open_then = await run.fork(at=4)
    await run.signal(go, "ship")
    await run.result()
    await continuum_env.advance(1)
    ended_then = await run.fork(at=4, signals="drop")
    await remove(continuum_env, run)
    await ended_then.signal(go, "ship")
    await ended_then.result()

    why, nearest = await refused(open_then.reset(at=4))
    assert (f"run {run.id}" in why and "was removed" in why, nearest) == (True, 0)
    assert (await continuum_env.cut(ended_then.id, "fork", at=4)).at == 4
    # The other fork is there to look at.
    await open_then.signal(go, "fail")
    await failed(open_then)
    assert (await refused(ended_then.reset(at=4)))[1] == 2


async def test_a_fork_of_a_child_may_have_undone_what_the_child_did(continuum_env: Environment) -> None:
    run = await continuum_env.start(parent)
    await continuum_env.settle()
    (started,) = (await continuum_env.query([("workflow", "eq", "related_child")])).entries
    await continuum_env.signal(started.id, go, "end")
    await continuum_env.settle()
    events = await run.history()
    place = [event.type for event in events].index("child_started")
    assert (await continuum_env.cut(run.id, "reset", at=len(events))).at == len(events)

    forked = await continuum_env.fork(started.id, at=2, signals="drop")
    await forked.signal(go, "fail")
    await failed(forked)
    why, nearest = await refused(run.reset(at=len(events)))
    assert (f"its child {started.id}" in why, nearest) == (True, place)


async def test_a_child_that_its_parent_has_undone_is_not_forked(continuum_env: Environment) -> None:
    run = await continuum_env.start(parent)
    await continuum_env.settle()
    (started,) = (await continuum_env.query([("workflow", "eq", "related_child")])).entries
    await continuum_env.signal(started.id, go, "end")
    await continuum_env.settle()
    assert (await continuum_env.cut(started.id, "fork", at=2)).at == 2
    await run.signal(go, "fail")
    await failed(run)
    why, nearest = await refused(continuum_env.fork(started.id, at=2))
    assert (f"its parent {run.id}" in why, nearest) == (True, 0)


@workflow(name="related_ahead", signals=[go])
async def ahead() -> str:
    """Say how to undo what a child does before it is started, and leave it alone at the end."""
    async with saga() as block:
        block.add(undo, "all")
        await child.start_child(parent_close_policy="abandon")
        if await go.wait() == "fail":
            raise ValueError("told to fail")
    return "left"


@pytest.mark.parametrize("change", ["reset", "fork"])
async def test_an_open_child_that_its_parent_has_undone_is_not_cut_behind_what_it_did(
    continuum_env: Environment, change: Literal["reset", "fork"]
) -> None:
    run = await continuum_env.start(ahead)
    await continuum_env.settle()
    (started,) = (await continuum_env.query([("workflow", "eq", "related_child")])).entries
    assert (await continuum_env.cut(started.id, change, at=2)).at == 2
    await run.signal(go, "fail")
    await failed(run)
    why, nearest = await refused(continuum_env.cut(started.id, change, at=2))
    assert (f"its parent {run.id}" in why, nearest) == (True, 0)


@pytest.mark.parametrize("change", ["restart", "reset", "fork"])
async def test_no_order_of_changes_lets_a_run_ship_what_was_refunded(
    continuum_env: Environment, change: str
) -> None:
    """A failed run whose fork refunds later: each way to let it continue is refused."""

    async def broken(what: str) -> str:
        if what == "ship":
            raise OSError("no carrier")
        return what

    run = await waiting_order(continuum_env)
    forked = await run.fork(at=4)
    with continuum_env.mock_activity(do, broken):
        await run.signal(go, "ship")
        await failed(run)
    await forked.signal(go, "fail")
    await failed(forked)
    asked: Callable[[], Awaitable[object]] = {
        "restart": run.restart,
        "reset": lambda: run.reset(at=5),
        "fork": lambda: run.fork(at=5),
    }[change]
    assert (await refused(asked()))[1] == 2
