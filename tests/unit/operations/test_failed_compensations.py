"""Runs whose compensation has failed, or whose child has: the fix works, and names each effect that stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import continuum
from continuum import CutRefused, Retry, RunCancelled, RunFailed, Signal, activity, saga, workflow
from continuum.client import Client, RunHandle
from continuum.testing import Environment
from tests.unit.operations.cutting import LONG, nothing_is_found

once = Retry(max_attempts=1)
go = Signal("go", str)
done: list[str] = []
broken: set[str] = set()


@pytest.fixture(autouse=True)
def nothing_is_broken() -> None:
    done.clear()
    broken.clear()


@activity(name="stands_do", retry=once)
async def do(what: str) -> str:
    """Do something, unless it is broken."""
    if what in broken:
        raise OSError(f"{what} is broken")
    done.append(what)
    return what


@activity(name="stands_undo", retry=once)
async def undo(what: str) -> None:
    """Undo something, unless that is broken."""
    if f"undo {what}" in broken:
        raise OSError(f"undo {what} is broken")
    done.append(f"undo {what}")


@workflow(name="stands_order", signals=[go])
async def order(mode: str) -> str:
    """Charge and reserve, then ship; undo both if that fails."""
    async with saga() as block:
        block.add(undo, await do("charge"))
        block.add(undo, await do("reserve"))
        if mode == "wait":
            await go.wait()
        try:
            return await do("ship")
        except continuum.ActivityError:
            if mode == "parallel":
                await block.compensate("parallel")
            raise


@activity(name="stands_undo_later", retry=Retry(max_attempts=2, base=60.0, jitter=0.0))
async def undo_later(what: str) -> None:
    """Undo something at the second attempt, a minute later."""
    if continuum.activity_context().attempt == 1:
        raise OSError(f"undo {what} is slow")
    await undo.fn(what)


@workflow(name="stands_watched", signals=[go])
async def watched() -> str:
    """Charge and reserve, then ship; undo both at once if that fails, while a timer runs."""
    async with asyncio.timeout(30), saga() as block:
        block.add(undo, await do("charge"))
        block.add(undo_later, await do("reserve"))
        try:
            return await do("ship")
        except continuum.ActivityError:
            await block.compensate("parallel")
            raise


@workflow(name="stands_child")
async def packing() -> str:
    """Fail as long as packing is broken."""
    return await do("pack")


@workflow(name="stands_parent")
async def parent() -> str:
    """Charge, then let a child pack; undo the charge if that fails."""
    await do("look")
    async with saga() as block:
        block.add(undo, await do("charge"))
        return await packing()


async def failed(run: RunHandle[Any]) -> None:
    with pytest.raises(RunFailed):
        await run.result(timeout=LONG)


async def offered(run: RunHandle[Any]) -> list[tuple[str, str]]:
    """Return the fixes of an ended run, with its id left out."""
    (cause,) = (await run.explain()).causes
    latest = (await run.explain()).run_id
    return [(fix.command.replace(latest, "RUN"), fix.when or "") for fix in cause.fixes]


async def apply(client: Client, run: RunHandle[Any]) -> RunHandle[Any]:
    """Do what the first fix of a run says."""
    fixes = [fix.command.split() for fix in (await run.explain()).causes[0].fixes]
    command = next(words for words in fixes if words[2] != "history")
    assert command[:2] == ["continuum", "runs"]
    if command[2] == "restart":
        return await client.restart(command[3])
    assert (command[2], command[4]) == ("reset", "--at")
    return await client.reset(command[3], at=int(command[5]))


async def test_the_last_compensation_is_tried_again_and_nothing_else(continuum_env: Environment) -> None:
    broken.update(("ship", "undo charge"))
    run = await continuum_env.start(order, "plain")
    await failed(run)
    assert done == ["charge", "reserve", "undo reserve"]
    assert await offered(run) == [
        (
            "continuum runs restart RUN",
            "once stands_undo can succeed: that is tried again, and then the run ends as before",
        )
    ]
    await failed(await apply(continuum_env, run))
    broken.remove("undo charge")
    restarted = await apply(continuum_env, run)
    await failed(restarted)
    assert done == ["charge", "reserve", "undo reserve", "undo charge"]
    # All is undone now, so that the run may do all of it again.
    broken.clear()
    ((command, when),) = await offered(run)
    assert command == "continuum runs reset RUN --at 0"
    assert "stays done" not in when
    assert await (await apply(continuum_env, restarted)).result(timeout=LONG) == "ship"
    assert done[4:] == ["charge", "reserve", "ship"]
    await nothing_is_found(continuum_env)


async def test_a_compensation_that_another_followed_is_not_tried_again(continuum_env: Environment) -> None:
    broken.update(("ship", "undo reserve"))
    run = await continuum_env.start(order, "plain")
    await failed(run)
    assert done == ["charge", "reserve", "undo charge"]
    with pytest.raises(CutRefused, match="has undone since") as refused:
        await run.restart()
    assert refused.value.nearest == 0
    (by_hand, why), (command, when) = await offered(run)
    assert by_hand == "continuum runs history RUN"
    assert "to undo by hand what stands_undo (event 6) should have undone" in why
    assert command == "continuum runs reset RUN --at 0"
    # Nothing says which of the two compensations of the block was for which call.
    one = "stands_undo (event 6), one of 2 compensations of which each may be for it, did not complete"
    for seq in (0, 2):
        assert f"stands_do (event {seq}) may stay done, for {one}: it is done again" in when
    broken.clear()
    assert await (await apply(continuum_env, run)).result(timeout=LONG) == "ship"
    await nothing_is_found(continuum_env)


async def test_compensations_that_failed_one_after_the_other_are_all_tried_again(
    continuum_env: Environment,
) -> None:
    broken.update(("ship", "undo charge", "undo reserve"))
    run = await continuum_env.start(order, "plain")
    await failed(run)
    broken.difference_update(("undo charge", "undo reserve"))
    await failed(await apply(continuum_env, run))
    assert done == ["charge", "reserve", "undo reserve", "undo charge"]
    await nothing_is_found(continuum_env)


@pytest.mark.parametrize("what", ["charge", "reserve"])
async def test_parallel_compensations_are_tried_again_without_those_that_completed(
    continuum_env: Environment, what: str
) -> None:
    broken.update(("ship", f"undo {what}"))
    run = await continuum_env.start(order, "parallel")
    await failed(run)
    # It fails a second time: the other has completed elsewhere, and keeps that.
    await failed(await apply(continuum_env, run))
    broken.remove(f"undo {what}")
    await failed(await apply(continuum_env, run))
    assert sorted(done) == ["charge", "reserve", "undo charge", "undo reserve"]
    await nothing_is_found(continuum_env)


@pytest.mark.parametrize("came", ["signal", "timer"])
async def test_a_failed_compensation_is_not_hidden_by_what_comes_after_it(
    continuum_env: Environment, came: str
) -> None:
    broken.update(("ship", "undo charge"))
    run = await continuum_env.start(watched)
    await continuum_env.settle()
    if came == "signal":
        await run.signal(go, "too late")
    await failed(run)
    kinds = [event.type for event in await run.history()]
    later = kinds[kinds.index("compensation_failed") :]
    assert later[-1] == "compensation_completed"
    assert {"signal": "signal_received", "timer": "timer_fired"}[came] in later
    ((command, when),) = await offered(run)
    assert (command, when[:23]) == ("continuum runs restart RUN", "once stands_undo can su")
    broken.remove("undo charge")
    await failed(await apply(continuum_env, run))
    assert done == ["charge", "reserve", "undo reserve", "undo charge"]
    await nothing_is_found(continuum_env)


@pytest.mark.parametrize("what", ["charge", "reserve"])
async def test_a_run_is_not_restarted_once_all_is_undone(continuum_env: Environment, what: str) -> None:
    broken.update(("ship", f"undo {what}"))
    run = await continuum_env.start(order, "parallel")
    await failed(run)
    broken.clear()
    broken.add("ship")
    restarted = await apply(continuum_env, run)
    await failed(restarted)
    # What ran since counts on nothing: a restart would let the code give up once more, for ever.
    with pytest.raises(CutRefused, match="has undone since") as refused:
        await restarted.restart()
    assert refused.value.nearest == 0
    assert (await offered(restarted))[0][0] == "continuum runs reset RUN --at 0"
    await nothing_is_found(continuum_env)


async def test_a_cancelled_run_tries_its_compensation_again(continuum_env: Environment) -> None:
    broken.add("undo charge")
    run = await continuum_env.start(order, "wait")
    await continuum_env.settle()
    await run.cancel()
    with pytest.raises(RunCancelled):
        await run.result(timeout=LONG)
    ((command, when),) = await offered(run)
    assert (command[:25], when) == (
        "continuum runs reset RUN ",
        "once stands_undo can succeed, to try it again",
    )
    broken.clear()
    with pytest.raises(RunCancelled):
        await (await apply(continuum_env, run)).result(timeout=LONG)
    assert done == ["charge", "reserve", "undo reserve", "undo charge"]
    assert await offered(run) == []
    await nothing_is_found(continuum_env)


async def test_a_failed_child_is_mended_where_explain_restart_and_reset_say(
    continuum_env: Environment,
) -> None:
    broken.add("pack")
    run = await continuum_env.start(parent)
    await failed(run)
    ((command, when),) = await offered(run)
    with pytest.raises(CutRefused, match="starts that child anew") as refused:
        await run.restart()
    assert command == f"continuum runs reset RUN --at {refused.value.nearest}"
    assert command.replace("RUN", run.id).split(" ", 1)[1] in refused.value.why
    assert "it does again what was done since" in when
    # The child has the fix of its parent, not one of its own.
    (child,) = (await continuum_env.query([("workflow", "eq", "stands_child")])).entries
    (cause,) = (await continuum_env.explain(child)).causes
    assert cause.fixes == (await run.explain()).causes[0].fixes
    broken.clear()
    mended = await apply(continuum_env, continuum_env.handle(child.id))
    assert await mended.result(timeout=LONG) == "pack"
    assert done == ["look", "charge", "undo charge", "charge", "pack"]
    # Its parent has another child now.
    (cause,) = (await continuum_env.explain(child)).causes
    assert [fix.command for fix in cause.fixes] == [f"continuum explain {mended.id}"]
    await nothing_is_found(continuum_env)
