"""Children on a real journal: their ends, their parents' ends, and crashes of either's process."""

from __future__ import annotations

from typing import Any

from continuum import Run, RunHandle
from continuum.client.client import Client
from continuum.settings.settings import Settings
from tests.process.actors.families import (
    deeper,
    double,
    failing,
    fan_out,
    forgiving,
    go,
    grandparent,
    impatient,
    leaving,
    parent,
    patient,
    waiting,
)
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S, Stage, results, stage
from tests.process.actors.orders import charged

WIDTH = 1_000


async def family_of(on: Stage, run: RunHandle[Any]) -> list[str]:
    """Return the ids of a run's children, oldest first."""
    rows = await on.sql("select id::text from {schema}.runs where parent_id = %s order by started_at", run.id)
    return [row[0] for row in rows]


async def only_child(on: Stage, run: RunHandle[Any]) -> RunHandle[Any]:
    """Wait until a run has a child."""

    async def born() -> bool:
        return bool(await family_of(on, run))

    await on.until(born, "no child was started")
    return on.client.handle((await family_of(on, run))[0])


async def seen(client: Client, run_id: str) -> Run:
    """Return a run as the client sees it."""
    return await client.get_run(run_id)


async def test_a_parent_returns_what_its_child_returned(dsn: str, schema: str) -> None:
    """CHD1: the child is an ordinary run, in its parent's namespace and with its attributes."""
    async with stage(dsn, schema) as on:
        await on.tree(parent, double)
        run = await on.client.start(
            parent, 4, namespace="shop", attributes={"region": "eu"}, trace_context="00-t"
        )
        assert await run.result(DEADLINE_S) == "child said 8"
        child = await seen(on.client, (await only_child(on, run)).id)
        assert (child.namespace, child.attributes, child.trace_context) == ("shop", {"region": "eu"}, "00-t")
        assert [event.type for event in await on.client.history(run.id)] == [
            "child_started",
            "child_completed",
        ]


async def test_a_thousand_children_at_once(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(fan_out, double)
        run = await on.client.start(fan_out, WIDTH)
        assert await run.result(60) == WIDTH * (WIDTH - 1)


async def test_the_failure_of_a_child_reaches_its_parent(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(forgiving, failing)
        run = await on.client.start(forgiving, "out of paper")
        run_id, type, message = await run.result(DEADLINE_S)
        assert (type, message) == ("ValueError", "out of paper")
        assert (await seen(on.client, run_id)).state == "failed"


async def test_the_eleventh_generation_is_not_started(dsn: str, schema: str) -> None:
    """CHD2, B51"""
    async with stage(dsn, schema) as on:
        await on.tree(deeper)
        run = await on.client.start(deeper, 0)
        assert await run.result(DEADLINE_S) == 10
        assert await on.count("select max(depth) from {schema}.runs") == 10


async def test_cancelling_a_run_cancels_its_descendants(dsn: str, schema: str) -> None:
    """CHD7, B48, B58: every generation ends by itself, with the reason that its parent was cancelled."""
    async with stage(dsn, schema) as on:
        await on.tree(grandparent, patient, waiting)
        run = await on.client.start(grandparent, 1)
        child = await only_child(on, run)
        grandchild = await only_child(on, child)
        await run.cancel()
        for each in (run, child, grandchild):
            await on.until_state(each, "cancelled")
        reasons = await on.sql("select reason from {schema}.runs order by depth")
        assert reasons == [(None,), ("parent_cancelled",), ("parent_cancelled",)]
        assert await on.holds("select not exists (select from {schema}.runs where owner is not null)")


async def test_a_forced_cancellation_reaches_children_too(dsn: str, schema: str) -> None:
    """B49"""
    async with stage(dsn, schema) as on:
        await on.tree(patient, waiting)
        run = await on.client.start(patient, 1)
        child = await only_child(on, run)
        await run.cancel(force=True)
        for each in (run, child):
            await on.until_state(each, "cancelled")


async def test_the_end_of_a_parent_follows_the_close_policies_of_its_children(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(leaving, waiting)
        run = await on.client.start(leaving)
        await run.signal(go, 0)
        default, cancelled, abandoned = map(on.client.handle, await run.result(DEADLINE_S))
        await on.until_state(cancelled, "cancelled")
        for survivor, value in ((default, 1), (abandoned, 3)):
            await survivor.signal(go, 10)
            assert await survivor.result(DEADLINE_S) == value + 10


async def test_a_cancelled_parent_leaves_abandoned_children_alone(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(leaving, waiting)
        run = await on.client.start(leaving)

        async def all_born() -> bool:
            return len(await family_of(on, run)) == 3

        await on.until(all_born, "not all children were started")
        await run.cancel()
        await on.until_state(run, "cancelled")
        query = "select count(*) from {schema}.runs where parent_id = %s and state = 6"

        async def two_stopped() -> bool:
            return await on.count(query, run.id) == 2

        await on.until(two_stopped, "the children were not stopped")
        survivor = await on.sql("select close_policy from {schema}.runs where depth = 1 and state <= 2")
        assert survivor == [(3,)]


async def test_a_call_that_times_out_cancels_its_child(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        await on.tree(impatient, waiting)
        run = await on.client.start(impatient)
        assert await run.result(DEADLINE_S) == "gave up"
        await on.until_state(await only_child(on, run), "cancelled")


async def test_a_child_ends_while_no_process_has_its_parent(dsn: str, schema: str) -> None:
    """ICH1: the parent's next owner finds the child's result."""
    async with stage(dsn, schema) as on:
        async with on.alone(patient):
            run = await on.client.start(patient, 1)
            child = await only_child(on, run)
            await on.until_state(run, "suspended")
        await on.tree(waiting, node="south")
        await child.signal(go, 5)
        assert await child.result(DEADLINE_S) == 6
        assert await on.state_of(run) == "suspended"
        await on.tree(patient, node="north")
        assert await run.result(DEADLINE_S) == 6


async def test_families_survive_the_deaths_of_their_actors(dsn: str, schema: str) -> None:
    """ICH1: no child is started twice, however often its parent is."""
    async with stage(dsn, schema) as on:
        tree = await on.tree(
            parent, double, patient, waiting, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.3)
        )
        runs = [await on.client.start(patient, number) for number in range(20)]
        children = [await only_child(on, run) for run in runs]
        await tree.kill("lease")
        for child in children[:10]:
            await child.signal(go, 0)
        await tree.kill("writer")
        for child in children[10:]:
            await child.signal(go, 0)
        await tree.kill("lease")
        assert await results(runs) == list(range(20))
        assert await on.count("select count(*) from {schema}.runs") == 40


async def test_a_child_cancelled_before_it_began_runs_no_code(dsn: str, schema: str) -> None:
    """CAN10: cancelled before it was claimed, it ends with an empty history."""
    async with stage(dsn, schema) as on:
        run = await on.client.start(double, 4711)
        await run.cancel()
        await on.tree(double)
        await on.until_state(run, "cancelled")
        assert await on.client.history(run.id) == []
        assert charged[4711] == 0
