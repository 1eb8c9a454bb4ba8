"""A node in an application's loop, on memory and on Postgres: it works, stops and restarts."""

from __future__ import annotations

import asyncio

import pytest

import continuum
from continuum import InstanceNotRegistered, InvalidOption
from continuum.node.in_process import InstanceOptions
from continuum_supervision import Actor, ActorRef, ChildSpec, Supervisor
from tests.process.actors.hosting import eventually
from tests.process.in_process import flows
from tests.process.in_process.hosts import DEADLINE_S, LONG_LEASE_S, WORKFLOWS, until_suspended


@pytest.fixture(params=["memory", "postgres"])
def options(request: pytest.FixtureRequest) -> InstanceOptions:
    """Return the options of an instance "shop" with its journal in memory, or on Postgres."""
    always: InstanceOptions = {
        "name": "shop",
        "workflows": WORKFLOWS,
        "heartbeater": {"ttl": LONG_LEASE_S},
    }
    if request.param == "memory":
        return {**always, "journal": "memory"}
    return {
        **always,
        "dsn": request.getfixturevalue("dsn"),
        "schema": request.getfixturevalue("schema"),
    }


def node_of(supervisor: Supervisor) -> ActorRef:
    """Return the node of a supervisor's first child."""
    ref = supervisor.which_children()[0].ref
    assert ref is not None
    return ref


async def test_a_run_with_signals_timers_and_threads_completes(options: InstanceOptions) -> None:
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        run = await client.start(flows.order, 7)
        await run.signal(flows.go, "yes")
        assert await run.result(DEADLINE_S) == flows.shipped(7)


async def test_unlisted_children_run_on_their_parents_node(
    options: InstanceOptions,
) -> None:
    options["workflows"] = [flows.mother]
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        run = await client.start(flows.mother, 1)
        assert await run.result(DEADLINE_S) == 2


async def test_tasks_of_queues_run_in_the_application(options: InstanceOptions) -> None:
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        run = await client.start(flows.packing, "a book")
        assert await run.result(DEADLINE_S) == "packed, a book"


async def test_a_stop_lets_activities_end_and_removes_the_node(options: InstanceOptions) -> None:
    flows.gates["last"] = asyncio.Event()
    flows.begun.clear()
    specs = continuum.children(**options)
    async with Supervisor(specs), continuum.connect(name="shop") as client:
        run = await client.start(flows.patient, "last")
        await eventually(lambda: flows.begun == ["last"], "the activity did not begin")
        asyncio.get_running_loop().call_later(0.1, flows.gates["last"].set)
    async with Supervisor(specs), continuum.connect(name="shop") as client:
        assert await client.await_run(run.id, DEADLINE_S) == "last"
        assert flows.begun == ["last"], "it began a second time"
        assert len(await client.nodes()) == 1


async def test_a_node_killed_in_its_loop_resumes_its_own_runs_at_once(
    options: InstanceOptions,
) -> None:
    async with Supervisor(continuum.children(**options)) as supervisor:
        async with continuum.connect(name="shop") as client:
            run = await client.start(flows.order, 1)
            await until_suspended(run)
            first = node_of(supervisor)
            first.kill()
            await eventually(
                lambda: supervisor.which_children()[0].ref not in (None, first), "there is no other node"
            )
        async with continuum.connect(name="shop") as client:
            handle = client.handle(run.id, flows.order)
            await handle.signal(flows.go, "yes")
            assert await handle.result(DEADLINE_S) == flows.shipped(1)


async def test_an_operators_drain_ends_the_node_and_not_the_application(
    options: InstanceOptions,
) -> None:
    options["heartbeater"] = {"ttl": 1}
    async with Supervisor(continuum.children(**options)) as supervisor:
        node = node_of(supervisor)
        async with continuum.connect(name="shop") as client:
            (row,) = await client.nodes()
            await client.drain_node(row.node)
            async with asyncio.timeout(DEADLINE_S):
                await node.wait()
        assert supervisor.ref.alive
        with pytest.raises(InstanceNotRegistered, match="shop"):
            async with continuum.connect(name="shop"):
                pass


async def test_an_application_runs_its_own_actors_next_to_the_node(options: InstanceOptions) -> None:
    class Till(Actor):
        """The application's own actor: it starts an order for every number that it receives."""

        async def handle_cast(self, message: int) -> None:
            async with continuum.connect(name="shop") as client:
                run = await client.start(flows.order, message)
                await run.signal(flows.go, "paid")
                receipts.append(await run.result(DEADLINE_S))

    receipts: list[str] = []
    specs = [*continuum.children(**options), ChildSpec("till", Till, name="till")]
    async with Supervisor(specs) as supervisor:
        till = supervisor.registry.whereis("till")
        assert till is not None
        till.cast(3)
        await eventually(lambda: bool(receipts), "no receipt")
        node = node_of(supervisor)
        till.kill()
        await eventually(lambda: supervisor.registry.whereis("till") not in (None, till), "no other till")
        assert node_of(supervisor) is node
    assert receipts == [flows.shipped(3, "paid")]


async def test_a_second_instance_of_the_same_name_is_refused(options: InstanceOptions) -> None:
    async with Supervisor(continuum.children(**options)):
        with pytest.raises(InvalidOption, match="runs in this process already"):
            async with Supervisor(continuum.children(**options)):
                pass
        async with continuum.connect(name="shop") as client:
            assert len(await client.nodes()) == 1


async def test_module_level_functions_act_on_the_instance_named_default(options: InstanceOptions) -> None:
    options["name"] = "default"
    async with Supervisor(continuum.children(**options)):
        try:
            run = await continuum.start(flows.order, 5)
            await continuum.signal(run.id, flows.go, "yes")
            assert await continuum.await_run(run.id, DEADLINE_S) == flows.shipped(5)
        finally:
            await continuum.disconnect()
    with pytest.raises(InstanceNotRegistered, match="no default instance"):
        await continuum.start(flows.order, 5)


async def test_an_instance_claims_only_runs_of_its_namespaces(options: InstanceOptions) -> None:
    options["namespaces"] = ["tenant"]
    async with Supervisor(continuum.children(**options)), continuum.connect(name="shop") as client:
        foreign = await client.start(flows.packing, "a pen", namespace="other")
        run = await client.start(flows.packing, "a book", namespace="tenant")
        assert await run.result(DEADLINE_S) == "packed, a book"
        assert await foreign.state() == "running"
        assert (await foreign.get()).reason == "waits for a node: no node serves namespace other"
        assert [row.namespaces for row in await client.nodes()] == [["tenant"]]
