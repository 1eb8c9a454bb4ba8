"""Nodes that serve some namespaces only leave runs, timers and activity tasks of others alone."""

from __future__ import annotations

from typing import Any

from continuum import RunHandle, Signal, activity, sleep, workflow
from continuum.engine.ids import NodeId
from continuum.journal.port import Fault, RunState, RunWrite, Transition
from continuum.journal.resilient import ResilientJournal
from continuum.settings.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_actors.node.recovery import Recovery
from continuum_supervision import ChildSpec, Supervisor, SystemClock
from tests.process.actors.hosting import LONG_LEASE_S, Stage, stage

RESULT_S = 60.0
go = Signal("go", str)


@activity(name="namespaces.label", queue="labels")
async def label(text: str) -> str:
    """Run as an activity task."""
    return f"labelled {text}"


@workflow(name="namespaces.waiting")
async def waiting() -> str:
    """Wait for a signal."""
    return await go.wait()


@workflow(name="namespaces.sleeping")
async def sleeping(seconds: float) -> str:
    """Sleep."""
    await sleep(seconds)
    return "awake"


@workflow(name="namespaces.labelling")
async def labelling(text: str) -> str:
    """Run one activity of a queue."""
    return await label(text)


WORKFLOWS = (waiting, sleeping, labelling)


def serving(*namespaces: str, **options: Any) -> Settings:
    """Return the settings of a node that serves these namespaces and polls often."""
    return Settings(lease_ttl=LONG_LEASE_S, poll=0.1, namespaces=namespaces, **options)


async def untouched(on: Stage, run: RunHandle[Any]) -> list[tuple[Any, ...]]:
    """Return all that is stored of a run that no node may touch."""
    return await on.sql("select r.*, r.xmin::text from {schema}.runs r where id = %s", run.id)


async def but_awake(on: Stage, run: RunHandle[Any]) -> list[tuple[Any, ...]]:
    """Return all that is stored of a run, except that its time has come."""
    text = "select to_jsonb(r) - '{{asleep,ready_at,wakes_at}}'::text[] from {schema}.runs r where id = %s"
    return await on.sql(text, run.id)


async def until_polled(on: Stage, namespace: str) -> None:
    """Return after a run of this namespace, started now, has ended: its node has claimed meanwhile."""
    run = await on.client.start(sleeping, 0.3, namespace=namespace)
    assert await run.result(RESULT_S) == "awake"


async def test_two_nodes_each_finish_only_the_runs_of_their_namespace(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        trees = {
            name: await on.tree(*WORKFLOWS, node=name, settings=serving(name)) for name in ("north", "south")
        }
        runs = {name: [await on.client.start(waiting, namespace=name) for _ in range(5)] for name in trees}
        for name, own in runs.items():
            for run in own:
                await on.until_state(run, "suspended")
            assert sorted(trees[name].host.runs.live_run_ids()) == sorted(run.id for run in own)
        for own in runs.values():
            for run in own:
                await run.signal(go, "yes")
                assert await run.result(RESULT_S) == "yes"


async def test_i9_a_run_of_an_unserved_namespace_stays_as_it_is(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(*WORKFLOWS, node="north", settings=serving("north"))
        run = await on.client.start(sleeping, 0.0, namespace="south")
        stored = await untouched(on, run)
        await until_polled(on, "north")
        assert await untouched(on, run) == stored
        await on.tree(*WORKFLOWS, node="south", settings=serving("east", "south"))
        assert await run.result(RESULT_S) == "awake"


async def test_a_signal_wakes_a_run_only_on_a_node_that_serves_it(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        run = await on.client.start(waiting, namespace="south")
        async with on.alone(*WORKFLOWS):
            await on.until_state(run, "suspended")
        await on.tree(*WORKFLOWS, node="north", settings=serving("north"))
        await run.signal(go, "yes")
        stored = await untouched(on, run)
        await until_polled(on, "north")
        assert await untouched(on, run) == stored
        await on.tree(*WORKFLOWS, node="south", settings=serving("south"))
        assert await run.result(RESULT_S) == "yes"


async def test_a_timer_wakes_a_run_only_on_a_node_that_serves_it(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        run = await on.client.start(sleeping, 0.5, namespace="south")
        async with on.alone(*WORKFLOWS):
            await on.until_state(run, "suspended")
        await on.tree(*WORKFLOWS, node="north", settings=serving("north"))
        stored = await but_awake(on, run)
        await on.until(
            lambda: on.holds("select bool_and(due_at < clock_timestamp()) from {schema}.runs"),
            "it is not due",
        )
        await until_polled(on, "north")
        assert await but_awake(on, run) == stored
        await on.tree(*WORKFLOWS, node="south", settings=serving("south"))
        assert await run.result(RESULT_S) == "awake"


async def test_a_node_claims_only_activity_tasks_of_its_namespaces(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(*WORKFLOWS, node="north", settings=serving("north"))
        await on.tree(*WORKFLOWS, node="south", settings=serving("south", claimed_tasks=0))
        run = await on.client.start(labelling, "a parcel", namespace="south")
        await on.until(lambda: on.holds("select count(*) = 1 from {schema}.tasks"), "there is no task")
        await until_polled(on, "north")
        assert await on.sql("select owner from {schema}.tasks") == [(None,)]
        await on.tree(*WORKFLOWS, node="another", settings=serving("south"))
        assert await run.result(RESULT_S) == "labelled a parcel"


async def test_a_node_that_starts_unblocks_only_runs_of_its_namespaces(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        code = Code(WORKFLOWS)
        runs = {name: await on.client.start(waiting, namespace=name) for name in ("north", "south")}
        worker = await on.journal.register_worker(NodeId("before"), "run_host", 1, LONG_LEASE_S)
        blocked = Transition(RunState.BLOCKED, reason="drift", fault=Fault("drift"))
        claims = await on.journal.claim(worker, code.loaded, 2)
        writes = [RunWrite(claim.id, claim.token, transition=blocked) for claim in claims]
        await on.journal.commit(worker, 1, writes)
        recovery = ChildSpec(
            "recovery",
            lambda: Recovery(
                ResilientJournal(on.journal, SystemClock(), lambda: 1.0),
                NodeId("north"),
                code,
                boot=True,
                random_fraction=lambda: 1.0,
                namespaces=["north"],
            ),
        )
        async with Supervisor([recovery]):
            assert {name: await run.state() for name, run in runs.items()} == {
                "north": "running",
                "south": "blocked",
            }
