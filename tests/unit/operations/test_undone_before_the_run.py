"""Cuts of a run that continues another as new: what that had done, with which it began, may be undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest

from continuum import CutRefused, RunFailed, Saga, Signal, activity, continue_as_new, workflow
from continuum.client import RunHandle
from continuum.testing import Environment
from tests.unit.operations.cutting import nothing_is_found

LONG = timedelta(days=30)

go = Signal("go", str)


@activity(name="begun_charge")
async def charge() -> str:
    """Charge, and return the payment."""
    return "payment"


@activity(name="begun_refund")
async def refund(payment: str) -> None:
    """Refund a payment."""


@workflow(name="begun_with", signals=[go])
async def begun_with(payment: str | None = None, pays: bool = True) -> str:
    """Charge, continue as new with the payment, and refund it there or end."""
    if payment is None:
        payment = await charge() if pays else "nothing"
        if await go.wait() != "fail":
            continue_as_new(payment)
    undoing = Saga()
    undoing.add(refund, payment)
    while True:
        match await go.wait() if payment != "fail" else "fail":
            case "refund":
                await undoing.compensate()
            case "fail":
                await undoing.compensate()
                raise ValueError("told to fail")
            case _:
                return payment


async def waiting(env: Environment, **facts: Any) -> tuple[RunHandle[Any], str]:
    """Return a run that has continued as new, and the run that it continues as."""
    run = await env.start(begun_with, **facts)
    await told(env, run.id, "on")
    latest = (await run.get()).continued_to
    assert latest is not None
    return run, latest


async def told(env: Environment, run_id: str, value: str) -> None:
    """Send the signal, and let everything happen that follows."""
    await env.signal(run_id, go, value)
    await env.settle()


async def refused(env: Environment, run_id: str, how: Literal["reset", "fork"], at: int) -> str:
    """Return why no cut up to there works."""
    with pytest.raises(CutRefused) as error:
        await env.cut(run_id, how, at=at)
    assert error.value.nearest is None
    return error.value.why


async def test_a_run_that_has_undone_what_it_began_with_is_not_cut_before_that(
    continuum_env: Environment,
) -> None:
    run, latest = await waiting(continuum_env)
    assert (await continuum_env.cut(latest, "reset", at=0)).at == 0
    await told(continuum_env, latest, "refund")
    types = [event.type for event in await continuum_env.history(latest)]
    assert types == ["signal_received", "compensation_scheduled", "compensation_completed"]

    # Behind the compensation the code knows of it; while it is pending it would run twice.
    assert (await continuum_env.cut(latest, "reset", at=3)).at == 3
    for at in (2, 1, 0):
        for how in ("reset", "fork"):
            why = await refused(continuum_env, latest, how, at)
            assert why == (
                "begun_refund (event 1) has undone since what was done before the run began, by those that "
                "it continues; fork one of these"
            )
    new = await continuum_env.fork(run.id, at=0)
    await new.signal(go, "on")
    await new.signal(go, "end")
    assert await new.result(timeout=LONG) == "payment"
    await nothing_is_found(continuum_env)


async def test_a_fork_of_such_a_run_may_have_undone_it_as_well(continuum_env: Environment) -> None:
    _, latest = await waiting(continuum_env)
    forked = await continuum_env.fork(latest, at=0)
    await told(continuum_env, forked.id, "refund")
    for how in ("reset", "fork"):
        assert f"(event 2 of run {forked.id}) has undone" in await refused(continuum_env, latest, how, 0)
    assert (await continuum_env.cut(forked.id, "reset", at=4)).at == 4


async def test_a_fork_of_the_run_before_may_have_undone_it_as_well(continuum_env: Environment) -> None:
    run, latest = await waiting(continuum_env)
    forked = await continuum_env.fork(run.id, at=2, signals="drop")
    of_latest = await continuum_env.fork(latest, at=0)
    assert (await continuum_env.cut(latest, "reset", at=0)).at == 0
    await told(continuum_env, forked.id, "fail")
    await told(continuum_env, forked.id, "fail")
    with pytest.raises(RunFailed):
        await forked.result(timeout=LONG)

    for one in (latest, of_latest.id):
        why = await refused(continuum_env, one, "reset", 0)
        assert why.startswith(f"the run continues run {run.id}: begun_refund (event ")
        assert f" of run {forked.id}) has undone since what the run did" in why


async def test_a_run_that_began_with_nothing_may_be_cut_anywhere(continuum_env: Environment) -> None:
    _, latest = await waiting(continuum_env, pays=False)
    await told(continuum_env, latest, "refund")
    assert (await continuum_env.cut(latest, "reset", at=0)).at == 0


async def test_a_run_did_not_begin_with_effects_that_were_undone_before_it_continued(
    continuum_env: Environment,
) -> None:
    run = await continuum_env.start(begun_twice)
    await continuum_env.settle()
    second = (await run.get()).continued_to
    assert second is not None
    third = (await continuum_env.client.get_run(second)).continued_to
    assert third is not None
    await continuum_env.fork(third, at=0)
    assert (await continuum_env.cut(third, "reset", at=0)).at == 0


@workflow(name="begun_twice", signals=[go])
async def begun_twice(payment: str | None = None) -> str:
    """Charge, refund that in the second run, and begin anew in the third."""
    if payment is None:
        continue_as_new(await charge())
    if payment == "payment":
        undoing = Saga()
        undoing.add(refund, payment)
        await undoing.compensate()
        continue_as_new("none")
    return await go.wait()
