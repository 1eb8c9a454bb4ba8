"""Every call that names a run takes its id, its handle, or the `Run` that was read."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from continuum import RunNotFound, Signal, activity, workflow
from continuum.client import Client, RunHandle, SyncClient, default_instance
from continuum.client.argument_checks import run_id_of
from continuum.testing import Environment

go = Signal("go", str)


@activity(name="named_break")
async def breaks() -> None:
    """Fail."""
    raise OSError("no")


@workflow(name="named", signals=[go])
async def flow() -> str:
    """Wait for a word; fail at one."""
    if (said := await go.wait()) == "fail":
        await breaks.options(retry=None)()
    return said


@pytest.mark.parametrize("owner", [Client, SyncClient, default_instance], ids=lambda owner: owner.__name__)
def test_every_call_that_names_a_run_takes_more_than_its_id(owner: Any) -> None:
    calls = inspect.getmembers(owner, inspect.isfunction)
    naming = {
        name: str(inspect.signature(call).parameters["run_id"].annotation)
        for name, call in calls
        if not name.startswith("_") and "run_id" in inspect.signature(call).parameters
    }
    assert len(naming) >= 5
    # Inside of a workflow the first argument may be the attributes, and a started run is known by its id.
    assert set(naming.values()) <= {"RunOrId", "Any", "RunId"}, naming


@pytest.mark.parametrize("kind", ["handle", "run"])
async def test_a_client_takes_what_names_a_run(continuum_env: Environment, kind: str) -> None:
    client: Client = continuum_env

    async def named(run: RunHandle[Any]) -> Any:
        return run if kind == "handle" else await run.get()

    started = await client.start(flow)
    await continuum_env.settle()
    run = await named(started)
    assert (await client.pause_run(run, "wait")).already is False
    assert await client.resume_run(run)
    assert not await client.unblock(run)
    await client.set_attributes(run, {"a": 1})
    assert (await client.explain(run)).run_id == started.id
    assert (await client.cut(run, "reset", at=0)).at == 0
    again = await client.reset(run, at=0)
    await client.signal(run, go, "fail")
    await continuum_env.settle()
    failed = await named(again)
    restarted = await client.restart(failed)
    assert restarted.id != again.id
    forked = await client.fork(await named(again), at=0)
    assert (await client.get_run(forked)).id == forked.id
    await client.cancel(forked, force=True)
    assert [event.type for event in await client.history(await named(forked))] == ["run_forked"]


@pytest.mark.parametrize("wrong", [None, 7, "no id", object()])
def test_nothing_else_names_a_run(wrong: Any) -> None:
    with pytest.raises(RunNotFound):
        run_id_of(wrong)
