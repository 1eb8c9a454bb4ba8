"""A notification proves nothing: one that is forged changes nothing but time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

import continuum
from continuum import RunHandle, Signal, activity, workflow
from continuum.engine.ids import RunId
from continuum.journal.announcement import announcement, completed
from continuum.journal.ended_run import EndedRun
from continuum.journal.notification import Topic
from continuum.journal.port import Committed, NewRun
from continuum.journal.resumed_run import woken
from tests.process.actors.hosting import Stage, Tree, eventually, known, replace_call, stage

RESULT_S = 60.0
STRANGER = "00000000-0000-4000-8000-000000000000"
go = Signal("go", str)
begun: Counter[str] = Counter()
let_go: dict[str, asyncio.Event] = {}


@activity(name="forged.hold")
async def hold(text: str) -> str:
    """Last until the test lets it end."""
    begun[text] += 1
    await let_go[text].wait()
    return text


@workflow(name="forged.holding")
async def holding(text: str) -> str:
    """Publish, run an activity that lasts, and wait for a signal beside it."""
    continuum.publish("held", text)
    held, said = await asyncio.gather(hold(text), go.wait())
    return f"{held} {said}"


@workflow(name="forged.quick")
async def quick() -> None:
    """End at once."""


@workflow(name="forged.failing")
async def failing() -> None:
    """Fail at once."""
    raise ValueError("as planned")


async def texts(on: Stage, topic: Topic, run: RunHandle[Any], input: bytes) -> list[str]:
    """Return what may be said about a live run, no run, and something that is none."""
    named = ["", run.id, run.id.upper(), STRANGER, "nonsense"]
    if topic is not Topic.STARTED:
        return named
    row = await on.journal.get_run(RunId(run.id))
    assert row is not None
    announced = [
        announcement(NewRun(RunId(text), row.workflow, input, row.namespace, trace_context=row.trace_context))
        for text in named
    ]
    return [
        *(completed(text, row.started_at) for text in announced if text is not None),
        *(woken(RunId(text)) for text in named),
        "nonsense",
    ]


async def forge(on: Stage, tree: Tree, topic: Topic, said: list[str]) -> None:
    """Send these notifications, and return once the host has acted on them."""
    channel = tree.host.channel if topic is Topic.STARTED else topic.name.lower()
    await on.sql(
        "select {schema}.notify(%s, string_to_array(each, ',')) from unnest(%s::text[]) as each",
        channel,
        said,
    )
    # Its announcement comes after them, and its commit after theirs.
    await (await on.client.start(quick)).result(RESULT_S)


@pytest.mark.parametrize("topic", Topic, ids=lambda topic: topic.name.lower())
async def test_a_forged_notification_about_a_live_run_changes_nothing(
    topic: Topic, dsn: str, schema: str
) -> None:
    name = topic.name
    begun[name], let_go[name] = 0, asyncio.Event()
    async with stage(dsn, schema) as on:
        tree = await on.tree(holding, quick)
        await known(on, tree)
        writer, run = tree.actor("writer"), await on.client.start(holding, name)
        awaited = asyncio.create_task(run.result(RESULT_S))
        seen: Counter[str] = Counter()

        async def watch() -> None:
            async for value in run.watch("held", str):
                seen[value] += 1

        watching = asyncio.create_task(watch())
        await eventually(lambda: begun[name] == 1 and seen[name] == 1, "the run does not begin")

        actor = tree.host.registry.whereis(run.id)
        await forge(on, tree, topic, await texts(on, topic, run, holding.arguments.encode_call((name,), {})))

        assert tree.host.registry.whereis(run.id) is actor
        assert not awaited.done()
        await run.signal(go, "on")
        let_go[name].set()
        assert await awaited == f"{name} on"
        await watching
        assert (begun[name], seen) == (1, {name: 1})
        assert tree.actor("writer") is writer


async def test_the_end_of_a_run_is_logged_though_the_run_is_said_to_be_lost_before_that_is_durable(
    dsn: str, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(RESULT_S), stage(dsn, schema) as on:
        tree = await on.tree(failing)
        await known(on, tree)
        commit, ended = tree.host.journal.once.commit, tree.host.journal.once.ended
        stored, answered, looked = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def slow(*args: Any) -> Committed:
            done = await commit(*args)
            stored.set()
            await answered.wait()
            return done

        async def looking(run_ids: list[RunId]) -> list[EndedRun]:
            found = await ended(run_ids)
            looked.set()
            return found

        replace_call(tree.host, "commit", slow)
        replace_call(tree.host, "ended", looking)
        run = await on.client.start(failing)
        await stored.wait()
        tree.host.router.notified(Topic.LOST, [run.id])
        await looked.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        answered.set()

        await eventually(lambda: not tree.host.live_runs(), "the run stays live")
        assert [record.name for record in caplog.records if run.id in record.getMessage()] == [
            "continuum.runs"
        ]
