"""Parts of a node that the application chooses: its journal, its executor, its modules, its children."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

import continuum
from continuum import ActivityCall, InvalidOption
from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.postgres import PostgresJournal
from continuum_supervision import Supervisor
from examples import pool_executor
from tests.process.in_process import flows
from tests.process.in_process.hosts import DEADLINE_S, until

CHILDREN = (
    "registry",
    "heartbeater",
    "run_supervisor",
    "activity_supervisor",
    "recovery",
    "dispatcher",
    "activity_dispatcher",
    "timer_wheel",
    "signal_router",
    "snapshotter",
    "version_registry",
)


@continuum.activity(timeout=0.2)
async def endless() -> None:
    """Take for ever."""
    await asyncio.Event().wait()


@continuum.workflow
async def hopeless() -> str:
    """Wait for what never comes."""
    try:
        await endless()
    except continuum.ActivityError as error:
        return error.type
    return "never"


class Recorded:
    """Makes calls in the loop of the node and records what it was asked to do."""

    def __init__(self) -> None:
        self.submitted: list[str] = []
        self.cancelled: list[str] = []
        self.drained = False

    def submit(self, call: ActivityCall) -> Awaitable[Any]:
        self.submitted.append(call.activity)
        result: Awaitable[Any] = call.context.run(call.function, *call.args, **call.kwargs)
        return result

    def cancel(self, call: ActivityCall) -> None:
        self.cancelled.append(call.activity)

    async def drain(self) -> None:
        self.drained = True


async def test_the_example_runs_its_activities_in_its_pool() -> None:
    assert await pool_executor.main() == ["<h1>home</h1>", "<h1>about</h1>"]


async def test_an_executor_learns_of_deadlines_and_of_the_end() -> None:
    executor = Recorded()
    node = continuum.children(name="own", journal="memory", workflows=[hopeless], activity_executor=executor)
    async with Supervisor(node), continuum.connect(name="own") as client:
        run = await client.start(hopeless)
        assert await run.result(DEADLINE_S) == "TimeoutError"
    assert (executor.submitted, executor.cancelled, executor.drained) == (["endless"], ["endless"], True)


class Synchronous(Recorded):
    """Returns the result itself."""

    def submit(self, call: ActivityCall) -> Any:
        return "a page"


async def test_an_executor_that_returns_no_awaitable_is_named() -> None:
    node = continuum.children(
        name="own",
        journal="memory",
        workflows=[pool_executor.publish_pages],
        activity_executor=Synchronous(),
    )
    async with Supervisor(node), continuum.connect(name="own") as client:
        run = await client.start(pool_executor.publish_pages, ["home"])
        with pytest.raises(continuum.RunFailed, match="executor Synchronous returned str, not an awaitable"):
            await run.result(DEADLINE_S)


async def test_a_journal_of_the_application_carries_its_node() -> None:
    journal = MemoryJournal()
    node = continuum.children(name="own", journal=journal, workflows=[pool_executor.publish_pages])
    async with Supervisor(node), continuum.connect(name="own") as client:
        run = await client.start(pool_executor.publish_pages, ["home"])
        await run.result(DEADLINE_S)
    (history,) = (await journal.load([run.id])).values()
    assert history[0].type is EventType.ACTIVITY_SCHEDULED


async def test_a_postgres_journal_of_the_application_stays_open(dsn: str, schema: str) -> None:
    journal = PostgresJournal(dsn, schema=schema)
    node = continuum.children(name="own", journal=journal, workflows=[pool_executor.publish_pages])
    async with Supervisor(node), continuum.connect(name="own") as client:
        run = await client.start(pool_executor.publish_pages, ["home"])
        assert await run.result(DEADLINE_S) == ["<h1>home</h1>"]
    assert await journal.get_run(run.id) is not None
    await journal.close()


async def test_modules_stand_for_their_workflows() -> None:
    node = continuum.children(name="own", journal="memory", workflows=[pool_executor, flows])
    async with Supervisor(node), continuum.connect(name="own") as client:
        run = await client.start(pool_executor.publish_pages, ["home"])
        assert await run.result(DEADLINE_S) == ["<h1>home</h1>"]
        await until(lambda: _lists(client, flows.order.name), "the node does not list the flows")


async def _lists(client: continuum.Client, workflow: str) -> bool:
    return any(workflow in node.workflows for node in await client.nodes())


@pytest.mark.parametrize("child", CHILDREN)
async def test_every_child_can_be_left_out_and_the_node_says_so(child: str) -> None:
    options: dict[str, Any] = {child: False}
    node = continuum.children(name="own", journal="memory", workflows=[flows.order], **options)
    async with Supervisor(node), continuum.connect(name="own") as client:

        async def is_listed() -> bool:
            return [node.address for node in await client.nodes()] == [f"embedded without {child}"]

        await until(is_listed, "the node is not listed")
        await client.start(flows.order, 1)


async def test_a_node_without_activities_drains_at_once_and_another_node_makes_the_call() -> None:
    journal = MemoryJournal()
    options: dict[str, Any] = {"activity_supervisor": False, "run_supervisor": {"drain": 3600.0}}
    partial = continuum.children(name="partial", journal=journal, workflows=[flows.charging], **options)
    whole = continuum.children(name="whole", journal=journal, workflows=[flows.charging])
    async with asyncio.timeout(DEADLINE_S), continuum.Client(journal) as client:
        async with Supervisor(partial):
            run = await client.start(flows.charging, 1)

            async def waits() -> bool:
                return bool(await run.history())

            await until(waits, "the call is not journaled")
        async with Supervisor(whole):
            assert await run.result(DEADLINE_S) == "payment 1"
    (history,) = (await journal.load([RunId(run.id)])).values()
    assert EventType.ACTIVITY_CRASHED not in [event.type for event in history]


@pytest.mark.parametrize("child", ["registry", "heartbeater"])
async def test_a_run_ends_without_what_it_does_not_need(child: str) -> None:
    options: dict[str, Any] = {child: False}
    node = continuum.children(
        name="own", journal="memory", workflows=[pool_executor.publish_pages], **options
    )
    async with Supervisor(node), continuum.connect(name="own") as client:
        run = await client.start(pool_executor.publish_pages, ["home"])
        assert await run.result(DEADLINE_S) == ["<h1>home</h1>"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"journal": object()}, "implements continuum.journal.port.Journal"),
        ({"journal": "sqlite"}, "allowed is 'postgres', 'memory', or an object"),
        ({"journal": MemoryJournal()} | {"schema": "own"}, "the journal knows its database"),
        ({"activity_executor": object()}, "submit, cancel and drain"),
        ({"workflows": [asyncio]}, "asyncio.*no workflow"),
    ],
)
def test_parts_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        continuum.children(**options)
