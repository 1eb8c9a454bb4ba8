"""Cuts that would count on what an ancestor of the run, or of a run with the same events, has undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from continuum import CutRefused, RunFailed, Signal, activity, saga, workflow
from continuum.client import RunHandle
from continuum.testing import Environment
from tests.unit.operations.cutting import nothing_is_found

LONG = timedelta(days=30)

go = Signal("go", str)


@activity(name="ancestral_charge")
async def charge() -> str:
    """Charge, and return the payment."""
    return "payment"


@activity(name="ancestral_refund")
async def refund(payment: str) -> None:
    """Refund a payment."""


@workflow(name="ancestral_child", signals=[go])
async def child() -> str:
    """Charge, wait, and return the payment."""
    payment = await charge()
    await go.wait()
    return payment


@workflow(name="ancestral_parent", signals=[go])
async def parent() -> str:
    """Have a child charge, and refund that if the signal says so."""
    async with saga() as block:
        payment = await child()
        block.add(refund, payment)
        if await go.wait() == "fail":
            raise ValueError("told to fail")
    return payment


@workflow(name="ancestral_grandparent", signals=[go])
async def grandparent() -> str:
    """Have a child of a child charge, and refund that if the signal says so."""
    async with saga() as block:
        payment = await parent()
        block.add(refund, payment)
        if await go.wait() == "fail":
            raise ValueError("told to fail")
    return payment


async def only(env: Environment, workflow: str) -> str:
    """Return the one run of a workflow."""
    (run,) = (await env.query([("workflow", "eq", workflow)])).entries
    return run.id


async def told(env: Environment, run_id: str, value: str) -> None:
    """Send the signal, and let everything happen that follows."""
    await env.signal(run_id, go, value)
    await env.settle()


async def failed(run: RunHandle[Any]) -> None:
    with pytest.raises(RunFailed):
        await run.result(timeout=LONG)


async def refused(env: Environment, run_id: str, at: int) -> tuple[str, int | None]:
    """Return why neither a reset nor a fork works there, and the last place that works."""
    found = set()
    for how in ("reset", "fork"):
        with pytest.raises(CutRefused) as error:
            await env.cut(run_id, how, at=at)
        found.add((error.value.why, error.value.nearest))
    ((why, nearest),) = found
    return why, nearest


async def test_a_parent_may_have_undone_what_a_fork_of_its_child_began_with(
    continuum_env: Environment,
) -> None:
    run = await continuum_env.start(parent)
    await continuum_env.settle()
    started = await only(continuum_env, "ancestral_child")
    forked = await continuum_env.fork(started, at=2)
    of_forked = await forked.fork(at=2)
    later = await forked.fork(at=0)
    await told(continuum_env, started, "end")
    for one in (forked, of_forked):
        assert (await continuum_env.cut(one.id, "reset", at=2)).at == 2
    await told(continuum_env, run.id, "fail")

    for one in (forked, of_forked):
        why, nearest = await refused(continuum_env, one.id, 2)
        assert (f"of run {run.id}, parent of run {started})" in why, nearest) == (True, 0)
    # This one has charged by itself.
    assert (await continuum_env.cut(later.id, "reset", at=2)).at == 2
    await nothing_is_found(continuum_env)


async def test_a_fork_of_a_parent_may_have_undone_what_its_child_did(continuum_env: Environment) -> None:
    run = await continuum_env.start(parent)
    await continuum_env.settle()
    started = await only(continuum_env, "ancestral_child")
    await told(continuum_env, started, "end")
    before, after = await run.fork(at=0), await run.fork(at=2)
    assert [event.type for event in await run.history()] == ["child_started", "child_completed"]
    await before.cancel(force=True)
    assert (await continuum_env.cut(started, "fork", at=2)).at == 2
    await after.signal(go, "fail")
    await failed(after)

    with pytest.raises(CutRefused) as error:
        await continuum_env.cut(started, "fork", at=2)
    assert f"of run {after.id}, relative of its parent {run.id})" in error.value.why
    assert error.value.nearest == 0


async def test_a_grandparent_may_have_undone_what_a_run_did(continuum_env: Environment) -> None:
    run = await continuum_env.start(grandparent)
    await continuum_env.settle()
    started = await only(continuum_env, "ancestral_child")
    await told(continuum_env, started, "end")
    await told(continuum_env, await only(continuum_env, "ancestral_parent"), "end")
    assert (await continuum_env.cut(started, "fork", at=2)).at == 2
    await run.signal(go, "fail")
    await failed(run)

    with pytest.raises(CutRefused) as error:
        await continuum_env.cut(started, "fork", at=2)
    assert f"of its ancestor {run.id})" in error.value.why
    assert error.value.nearest == 0
