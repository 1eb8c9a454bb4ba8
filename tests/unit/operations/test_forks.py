"""Runs that continue from a place in the history of another: `restart`, `reset` and `fork`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import continuum
from continuum import (
    ActivityError,
    ChildFailed,
    CutRefused,
    Retry,
    RunChanged,
    RunFailed,
    Saga,
    Signal,
    activity,
    saga,
    workflow,
)
from continuum.client import RunHandle
from continuum.errors import InvalidOption
from continuum.journal.audit_facts import AuditQuery
from continuum.testing import Environment, crash_everywhere
from tests.unit.operations.cutting import nothing_is_found

LONG = timedelta(days=30)
NOBODY = "00000000-0000-4000-8000-000000000007"

go = Signal("go", str)
calls: list[str] = []
broken: set[str] = set()


@pytest.fixture(autouse=True)
def nothing_is_broken() -> None:
    calls.clear()
    broken.clear()


@activity(name="forks_do", retry=Retry(max_attempts=2))
async def do(what: str) -> str:
    """Do something, unless it is broken."""
    calls.append(what)
    if what in broken:
        raise OSError(f"{what} is broken")
    return f"{what} done"


@activity(name="forks_do_once")
async def do_once(what: str) -> str:
    """Do something in one attempt, unless it is broken."""
    calls.append(what)
    if what in broken:
        raise OSError(f"{what} is broken")
    return f"{what} done"


@activity(name="forks_undo")
async def undo(what: str) -> None:
    """Undo something."""
    calls.append(f"undo {what}")


@workflow(name="forks_steps")
async def steps() -> list[str]:
    """Do three things, one after the other."""
    return [await do("first"), await do("second"), await do("third")]


@workflow(name="forks_beside")
async def beside() -> list[str]:
    """Do three things at once, and give up once all have ended if one has failed."""
    found = await asyncio.gather(do_once("left"), do_once("middle"), do_once("right"), return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [str(each) for each in found]


@workflow(name="forks_own_fault")
async def own_fault() -> str:
    """Do something, and then fail if the code is broken."""
    done = await do("first")
    if "code" in broken:  # continuum: allow CT302
        continuum.uuid4()
        raise ValueError("the code is broken")
    return done


@workflow(name="forks_trip")
async def trip() -> str:
    """Undo what was done in the block if the last thing fails."""
    await do("before")
    async with saga() as block:
        await do("hotel")
        block.add(undo, "hotel")
        await do("flight")
    return "booked"


@workflow(name="forks_signals", signals=[go])
async def signals() -> list[str]:
    """Wait for two signals with something between."""
    first = await go.wait()
    await do("between")
    return [first, await go.wait(timeout=timedelta(hours=1))]


@workflow(name="forks_child")
async def child() -> str:
    """Wait for a signal, then do something."""
    await go.wait()
    return await do("in the child")


@workflow(name="forks_parent")
async def parent() -> str:
    """Wait for a child."""
    started = await child.start_child()
    await do("beside the child")
    try:
        return await started
    except ChildFailed as failure:
        return f"failed: {failure.type}"


async def failed(run: RunHandle[Any]) -> None:
    with pytest.raises(RunFailed):
        await run.result(timeout=LONG)


async def types(env: Environment, run_id: str) -> list[str]:
    return [event.type for event in await env.history(run_id)]


async def test_a_failed_run_goes_on_from_the_activity_that_failed(continuum_env: Environment) -> None:
    broken.add("second")
    run = await continuum_env.start(steps, idempotency_key="once")
    await failed(run)
    broken.clear()
    calls.clear()

    cut = await continuum_env.cut(run.id, "restart")
    assert [(call.name, call.was) for call in cut.runs_again] == [("forks_do", "failed")]
    next_run = await continuum_env.as_actor("ann").restart(run.id, workflow=steps, seen=cut)

    assert await next_run.result() == ["first done", "second done", "third done"]
    assert calls == ["second", "third"]
    forked = [event.type for event in await next_run.history()].index("run_forked")
    assert (await next_run.history())[forked + 1].type == "activity_restarted"
    # The id and the key mean the run that continues.
    assert await run.result(timeout=LONG) == ["first done", "second done", "third done"]
    again = await continuum_env.start(steps, idempotency_key="once")
    assert (again.id, await again.result()) == (run.id, ["first done", "second done", "third done"])
    old, new = await run.get(), await next_run.get()
    assert (old.state, old.continued_to, new.continued_from) == ("failed", next_run.id, run.id)
    (recorded,) = await continuum_env._memory.audited(AuditQuery(10))
    assert (recorded.actor, recorded.action, recorded.outcome) == ("ann", "restart", "done")
    await nothing_is_found(continuum_env)


async def test_the_attempt_after_a_restart_is_the_first_one(continuum_env: Environment) -> None:
    broken.add("second")
    run = await continuum_env.start(steps)
    await failed(run)
    calls.clear()

    again = await run.restart()
    await failed(again)

    assert calls == ["second", "second"]
    failure = [event for event in await again.history() if event.type == "activity_failed"]
    assert [event.payload["attempt"] for event in failure] == [2]
    await nothing_is_found(continuum_env)


async def test_results_beside_the_failure_stay(continuum_env: Environment) -> None:
    broken.update(("left", "middle"))
    run = await continuum_env.start(beside)
    await failed(run)
    broken.clear()
    calls.clear()

    cut = await continuum_env.cut(run.id, "restart")
    again = await run.restart()

    assert await again.result() == ["left done", "middle done", "right done"]
    assert sorted(calls) == ["left", "middle"]
    assert len(cut.runs_again) == 2
    await nothing_is_found(continuum_env)


async def test_results_that_came_after_the_failure_are_kept(continuum_env: Environment) -> None:
    late = asyncio.Event()

    async def fake(what: str) -> str:
        calls.append(what)
        if what == "right" and not late.is_set():
            await late.wait()
        if what in broken:
            late.set()
            raise OSError(what)
        return what

    with continuum_env.mock_activity(do_once, fake):
        broken.add("left")
        run = await continuum_env.start(beside)
        await failed(run)
        events = await types(continuum_env, run.id)
        assert events.index("activity_failed") < max(
            place for place, name in enumerate(events) if name == "activity_completed"
        )
        broken.clear()
        calls.clear()
        cut = await continuum_env.cut(run.id, "restart")

        assert await (await run.restart()).result() == ["left", "middle", "right"]
        assert calls == ["left"]
        assert [call.was for call in cut.keeps] == ["completed", "completed"]
    await nothing_is_found(continuum_env)


async def test_a_run_that_its_own_code_failed_is_replayed_whole(continuum_env: Environment) -> None:
    broken.add("code")
    run = await continuum_env.start(own_fault)
    await failed(run)
    calls.clear()

    # The code is as it was, so that it fails again: it does not block.
    again = await run.restart()
    await failed(again)
    # What the failing step asked for does not bind the code that is mended.
    broken.clear()
    assert await (await again.restart()).result() == "first done"
    assert calls == []
    await nothing_is_found(continuum_env)


@workflow(name="forks_declined")
async def declined() -> str:
    """Handle that the charge is declined, and then fail if the code is broken."""
    try:
        return await do_once("charge")
    except ActivityError:
        pass
    if "code" in broken:  # continuum: allow CT302
        raise KeyError("card")
    return "declined"


async def test_an_activity_whose_failure_was_handled_does_not_run_again(continuum_env: Environment) -> None:
    broken.update(("charge", "code"))
    run = await continuum_env.start(declined)
    await failed(run)
    broken.clear()
    assert (await continuum_env.cut(run.id, "restart")).runs_again == ()
    assert await (await run.restart()).result() == "declined"
    assert calls == ["charge"]
    await nothing_is_found(continuum_env)


async def test_a_restart_after_a_compensation_is_refused(continuum_env: Environment) -> None:
    broken.add("flight")
    run = await continuum_env.start(trip)
    await failed(run)
    assert calls[-1] == "undo hotel"
    broken.clear()

    with pytest.raises(CutRefused, match="has undone since what the run did") as refused:
        await run.restart()
    for at in range(3, 9):
        with pytest.raises(CutRefused) as refused:
            await run.reset(at=at)
        assert refused.value.nearest == 2
    assert (await run.get()).continued_to is None

    # The last cut before what was undone: the hotel is booked anew.
    calls.clear()
    assert await (await run.reset(at=2)).result() == "booked"
    assert calls == ["hotel", "flight"]
    await nothing_is_found(continuum_env)


@workflow(name="forks_by_hand")
async def by_hand() -> str:
    """Undo by hand what was done before anything said how."""
    await do("before")
    await do("hotel")
    undoing = Saga()
    undoing.add(undo, "hotel")
    try:
        return await do("flight")
    except ActivityError:
        await undoing.compensate()
        return "undone"


async def test_a_compensation_outside_of_a_block_may_undo_everything(continuum_env: Environment) -> None:
    broken.add("flight")
    run = await continuum_env.start(by_hand)
    assert await run.result(timeout=LONG) == "undone"
    with pytest.raises(CutRefused) as refused:
        await run.reset(at=4)
    assert refused.value.nearest == 0
    await nothing_is_found(continuum_env)


@workflow(name="forks_late_block")
async def late_block() -> str:
    """Begin the block that undoes something when that is done already."""
    await do("hotel")
    async with saga() as block:
        block.add(undo, "hotel")
        return await do("flight")


async def test_a_compensation_that_a_block_begins_with_may_undo_what_came_before_it(
    continuum_env: Environment,
) -> None:
    broken.add("flight")
    run = await continuum_env.start(late_block)
    await failed(run)
    with pytest.raises(CutRefused) as refused:
        await run.restart()
    assert refused.value.nearest == 0
    await nothing_is_found(continuum_env)


@workflow(name="forks_options")
async def with_options(options: str) -> str:
    """Do something that other processes do, at most once, or within a time."""
    match options:
        case "queue":
            return await do.options(queue="slow")("this")
        case "at_most_once":
            return await do.options(at_most_once=True, retry=Retry())("this")
        case _:
            return await do.options(total_timeout=5, retry=Retry())("this")


@pytest.mark.parametrize("options", ["queue", "at_most_once", "total_timeout"])
async def test_a_call_with_options_begins_again_like_any_other(
    continuum_env: Environment, options: str
) -> None:
    broken.add("this")
    run = await continuum_env.start(with_options, options)
    await failed(run)
    broken.clear()
    calls.clear()
    # Its time begins anew.
    await continuum_env.advance(60)
    assert await (await run.restart()).result(timeout=LONG) == "this done"
    assert calls == ["this"]
    await nothing_is_found(continuum_env)


async def test_signals_that_came_later_are_posted_again(continuum_env: Environment) -> None:
    run = await continuum_env.start(signals)
    await run.signal(go, "a", delivery_id="one")
    await run.signal(go, "b")
    assert await run.result() == ["a", "b"]

    assert await (await run.fork(at=0)).result() == ["a", "b"]
    assert (await continuum_env.cut(run.id, "fork", at=0)).signals == ("go", "go")
    # A delivery that the chain has had is one for the fork too.
    forked = await run.fork(at=0, signals="drop")
    await forked.signal(go, "a", delivery_id="one")
    await forked.signal(go, "c")
    await forked.signal(go, "d")
    assert await forked.result() == ["c", "d"]
    await nothing_is_found(continuum_env)


async def test_a_signal_that_nobody_has_read_moves_with_the_run(continuum_env: Environment) -> None:
    run = await continuum_env.start(signals)
    await continuum_env.settle()
    await run.signal(go, "a")
    await continuum_env.settle()
    await run.signal(go, "b")
    next_run = await run.reset(at=0)
    assert await run.result() == ["a", "b"]
    assert (await run.get()).state == "cancelled"
    assert (await run.get()).continued_to == next_run.id
    await nothing_is_found(continuum_env)


async def test_an_open_run_ends_as_cancelled_and_its_id_means_the_next_one(
    continuum_env: Environment,
) -> None:
    run = await continuum_env.start(signals)
    await continuum_env.settle()
    next_run = await run.reset(at=0)
    await run.signal(go, "x")
    await run.signal(go, "y")
    assert await run.result() == await next_run.result() == ["x", "y"]
    with pytest.raises(InvalidOption, match="has continued as"):
        await run.reset(at=0)
    await nothing_is_found(continuum_env)


async def test_a_fork_is_a_run_beside_the_other(continuum_env: Environment) -> None:
    run = await continuum_env.start(steps, idempotency_key="key", attributes={"vip": True})
    await run.result()
    forked = await run.fork(at=2)
    await run.set_attributes({"vip": False})
    assert await forked.result() == ["first done", "second done", "third done"]
    found = await forked.get()
    assert (found.idempotency_key, found.continued_from, found.attributes) == (None, None, {"vip": True})
    assert (await run.get()).continued_to is None
    events = await forked.history()
    assert (events[2].type, events[2].payload) == ("run_forked", {"origin": run.id, "how": "fork"})
    await nothing_is_found(continuum_env)


async def test_a_child_that_has_ended_reports_its_end_again(continuum_env: Environment) -> None:
    run = await continuum_env.start(parent)
    await continuum_env.settle()
    (started,) = (await continuum_env.query([("workflow", "eq", "forks_child")])).entries
    await continuum_env.signal(started.id, go, "now")
    assert await run.result() == "in the child done"
    calls.clear()

    forked = await run.fork(at=1)
    assert await forked.result() == "in the child done"
    assert calls == ["beside the child"]
    await nothing_is_found(continuum_env)


async def test_a_child_that_is_open_refuses_a_cut_behind_its_start(continuum_env: Environment) -> None:
    run = await continuum_env.start(parent)
    await continuum_env.settle()
    (started,) = (await continuum_env.query([("workflow", "eq", "forks_child")])).entries

    with pytest.raises(CutRefused, match="is open") as refused:
        await run.reset(at=2)
    assert refused.value.nearest == 0

    # Its parent ends as cancelled, and so does a child whose close policy is to end with it.
    next_run = await run.reset(at=0)
    await continuum_env.settle()
    assert (await continuum_env.get_run(started.id)).state == "cancelled"
    (other,) = [
        entry
        for entry in (await continuum_env.query([("workflow", "eq", "forks_child")])).entries
        if entry.id != started.id
    ]
    await continuum_env.signal(other.id, go, "now")
    assert await next_run.result() == "in the child done"
    await nothing_is_found(continuum_env)


async def test_a_parent_hears_from_the_run_that_succeeds_its_child(continuum_env: Environment) -> None:
    run = await continuum_env.start(parent)
    await continuum_env.settle()
    (started,) = (await continuum_env.query([("workflow", "eq", "forks_child")])).entries
    next_child = await continuum_env.reset(started.id, at=0)
    await continuum_env.settle()
    assert await run.state() == "suspended"
    await continuum_env.signal(started.id, go, "now")
    assert await run.result() == "in the child done"
    assert (await next_child.get()).state == "completed"
    await nothing_is_found(continuum_env)


async def test_a_child_whose_parent_has_heard_is_refused(continuum_env: Environment) -> None:
    broken.add("in the child")
    run = await continuum_env.start(parent)
    await continuum_env.settle()
    (started,) = (await continuum_env.query([("workflow", "eq", "forks_child")])).entries
    await continuum_env.signal(started.id, go, "now")
    assert await run.result(timeout=LONG) == "failed: continuum.ActivityError"
    for change in (continuum_env.restart(started.id), continuum_env.reset(started.id, at=0)):
        with pytest.raises(CutRefused, match="has received its end"):
            await change
    broken.clear()
    assert await (await continuum_env.fork(started.id, at=2)).result() == "in the child done"
    await nothing_is_found(continuum_env)


@workflow(name="forks_strict_parent")
async def strict_parent() -> str:
    """Fail with the child."""
    started = await child.start_child()
    return await started


async def test_a_failure_that_began_in_a_child_names_the_cut_that_starts_it_anew(
    continuum_env: Environment,
) -> None:
    broken.add("in the child")
    run = await continuum_env.start(strict_parent)
    await continuum_env.settle()
    (started,) = (await continuum_env.query([("workflow", "eq", "forks_child")])).entries
    await continuum_env.signal(started.id, go, "now")
    await failed(run)
    with pytest.raises(CutRefused, match="the failure began in its child") as refused:
        await run.restart()
    assert refused.value.nearest == 0
    await nothing_is_found(continuum_env)


@pytest.mark.parametrize("at", [-1, 7, 1_000])
async def test_an_unknown_event_is_refused(continuum_env: Environment, at: int) -> None:
    run = await continuum_env.start(steps)
    await run.result()
    with pytest.raises(CutRefused, match="its history has the events 0 to 5; give one of them, or 6"):
        await run.fork(at=at)
    await nothing_is_found(continuum_env)


async def test_only_a_failed_run_is_restarted(continuum_env: Environment) -> None:
    run = await continuum_env.start(steps)
    await run.result()
    with pytest.raises(CutRefused, match="it is completed, and has not failed"):
        await run.restart()
    await nothing_is_found(continuum_env)


@workflow(name="forks_steps")
async def other_steps() -> None:
    """Other code for the same runs."""
    await undo("something else")


async def test_code_that_does_not_accept_the_events_is_refused(continuum_env: Environment) -> None:
    run = await continuum_env.start(steps)
    await run.result()
    with pytest.raises(CutRefused, match="the code does not accept the events before it"):
        await continuum_env.fork(run.id, at=2, workflow=other_steps)
    # Without an event there is nothing to differ from.
    await continuum_env.fork(run.id, at=0, workflow=other_steps)
    await nothing_is_found(continuum_env)


async def test_nothing_happens_if_the_run_has_changed_since_it_was_seen(continuum_env: Environment) -> None:
    run = await continuum_env.start(signals)
    await continuum_env.settle()
    seen = await continuum_env.cut(run.id, "reset", at=0)
    await run.signal(go, "a")
    await continuum_env.settle()
    with pytest.raises(RunChanged):
        await continuum_env.reset(run.id, at=0, seen=seen)
    assert (await run.get()).continued_to is None
    await nothing_is_found(continuum_env)


async def test_a_request_that_never_finds_the_run_as_it_was_has_one_row(
    continuum_env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await continuum_env.start(steps)
    await run.result()
    journal = continuum_env._memory
    monkeypatch.setattr(journal, "_is_as_seen", lambda *_: False)
    with pytest.raises(RunChanged):
        await continuum_env.as_actor("ann").fork(run.id, at=2)
    (recorded,) = await journal.audited(AuditQuery(20))
    assert (recorded.action, recorded.outcome) == ("fork", "stale")


async def test_arguments_are_checked(continuum_env: Environment) -> None:
    run = await continuum_env.start(steps)
    await run.result()
    with pytest.raises(InvalidOption, match="signals is"):
        await continuum_env.fork(run.id, at=0, signals="lose")  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="reset needs at="):
        await continuum_env.cut(run.id, "reset")
    with pytest.raises(InvalidOption, match="leave out at="):
        await continuum_env.cut(run.id, "restart", at=0)
    with pytest.raises(InvalidOption, match="how is"):
        await continuum_env.cut(run.id, "mend", at=0)
    with pytest.raises(continuum.RunNotFound):
        await continuum_env.fork(NOBODY, at=0)
    await nothing_is_found(continuum_env)


@crash_everywhere
async def test_a_restart_survives_any_crash(env: Environment) -> None:
    calls.clear()
    broken.add("second")
    run = await env.start(steps)
    await failed(run)
    broken.clear()
    await run.restart()
    assert await run.result(timeout=LONG) == ["first done", "second done", "third done"]
    assert len((await env.query()).entries) == 2
