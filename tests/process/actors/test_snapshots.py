"""Long histories get a snapshot, and a run resumes from it as from its events (SNP1, SNP2, SNP4, SNP6)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from continuum import Signal, activity, workflow
from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.journal.postgres import PostgresJournal
from continuum.journal.snapshot_codec import pack_snapshot
from continuum.settings.settings import Settings
from continuum_supervision import KILLED
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S, Stage, results, stage

go = Signal("go", int)


@activity(name="snapshots.add")
async def add(total: int, amount: int) -> int:
    """Add."""
    return total + amount


@workflow(name="snapshots.adding")
async def adding(steps: int) -> int:
    """Take many steps, wait, and take as many as the signal says."""
    total = 0
    for _ in range(steps):
        total = await add(total, 1)
    for _ in range(await go.wait()):
        total = await add(total, 100)
    return total


async def snapshot_of(on: Stage) -> int:
    rows = await on.sql("select coalesce(max(first_seq + events), 0) from {schema}.snapshots")
    return int(rows[0][0])


async def spoil_events(on: Stage, end: int) -> None:
    """Damage the events before one, which a snapshot replaces.

    Not those that have a call with its place: later events may refer to it.
    """
    await on.sql(
        "update {schema}.events set payload = '' where seq < %s and position(%s::bytea in payload) = 0",
        end,
        Path(__file__).name,
    )
    assert await on.holds("select count(*) > 9 from {schema}.events where payload = ''")


async def test_a_run_resumes_from_the_snapshot_of_its_long_history(dsn: str, schema: str) -> None:
    """SNP1, SNP6"""
    async with stage(dsn, schema) as on:
        run = await on.client.start(adding, 60)
        async with on.alone(adding) as tree:
            tree.host.settings = replace(tree.host.settings, snapshot_events=50)
            await on.until_state(run, "suspended")
            await on.until(lambda: on.holds("select count(*) > 0 from {schema}.snapshots"), "no snapshot")
        taken = await snapshot_of(on)
        assert 50 <= taken <= 120
        await spoil_events(on, taken)
        await on.tree(adding)
        await run.signal(go, 2)
        assert await run.result(DEADLINE_S) == 260


async def test_an_unreadable_snapshot_is_ignored(dsn: str, schema: str) -> None:
    """SNP4, B67"""
    async with stage(dsn, schema) as on:
        run = await on.client.start(adding, 30)
        async with on.alone(adding) as tree:
            tree.host.settings = replace(tree.host.settings, snapshot_events=20)
            await on.until_state(run, "suspended")
            await on.until(lambda: on.holds("select count(*) > 0 from {schema}.snapshots"), "no snapshot")
        await on.sql("update {schema}.snapshots set payload = 'nonsense'")
        await on.tree(adding, settings=Settings(lease_ttl=LONG_LEASE_S))
        await run.signal(go, 1)
        assert await run.result(DEADLINE_S) == 130


@workflow(name="snapshots.adding_often", snapshot_threshold=10)
async def adding_often(steps: int) -> int:
    """Take steps, and wait."""
    total = 0
    for _ in range(steps):
        total = await add(total, 1)
    return total + await go.wait()


async def test_a_workflow_sets_its_own_snapshot_threshold(dsn: str, schema: str) -> None:
    """SNP2, B66"""
    async with stage(dsn, schema) as on:
        run = await on.client.start(adding_often, 30)
        async with on.alone(adding_often):
            await on.until_state(run, "suspended")
            await on.until(
                lambda: on.holds("select count(*) > 1 from {schema}.snapshots"), "no snapshot in parts"
            )
        taken = await snapshot_of(on)
        await spoil_events(on, taken)
        await on.tree(adding_often)
        await run.signal(go, 1)
        assert await run.result(DEADLINE_S) == 31


async def test_a_snapshot_threshold_applies_to_one_workflow_only(dsn: str, schema: str) -> None:
    """SNP3"""
    async with stage(dsn, schema) as on:
        await on.tree(adding, adding_often)
        seldom, often = await on.client.start(adding, 30), await on.client.start(adding_often, 30)
        for run in (seldom, often):
            await on.until_state(run, "suspended")
        await on.until(lambda: on.holds("select count(*) > 1 from {schema}.snapshots"), "no snapshot")
        assert {run_id for (run_id,) in await on.sql("select run_id::text from {schema}.snapshots")} == {
            often.id
        }


async def test_a_run_whose_snapshot_does_not_match_is_replayed_from_its_events(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        run = await on.client.start(adding_often, 30)
        async with on.alone(adding_often):
            await on.until_state(run, "suspended")
            await on.until(lambda: on.holds("select count(*) > 0 from {schema}.snapshots"), "no snapshot")
        (events, count), *_ = await on.sql(
            "select first_seq, events from {schema}.snapshots where first_seq = 0"
        )
        written = (await on.journal.load([run.id]))[run.id][events:count]
        spoiled = [
            event._replace(body=("somebody.else", *event.body[1:]))
            if event.type == EventType.ACTIVITY_SCHEDULED and event.seq > 8
            else event
            for event in written
        ]
        await on.sql("update {schema}.snapshots set payload = %s where first_seq = 0", pack_snapshot(spoiled))
        await on.tree(adding_often)
        await run.signal(go, 1)
        assert await run.result(DEADLINE_S) == 31


class FailingSnapshots(PostgresJournal):
    """Fails to take one snapshot, and hangs in the next."""

    def __init__(self, dsn: str, schema: str) -> None:
        super().__init__(dsn, schema=schema)
        self.asked: list[RunId] = []
        self.busy = asyncio.Event()

    async def take_snapshot(self, run_id: RunId, version: str, first: int) -> int:
        self.asked.append(run_id)
        if len(self.asked) == 1:
            raise ValueError("of all things")
        self.busy.set()
        never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return await never


async def test_failing_and_hanging_snapshots_block_nobody(dsn: str, schema: str) -> None:
    """P13: the tree keeps working, and stops in order."""
    async with stage(dsn, schema) as on:
        journal = FailingSnapshots(dsn, schema)
        await journal.open()
        on.exits.push_async_callback(journal.close)
        tree = await on.tree_on(journal, adding_often)
        snapshotter = tree.actor("snapshotter")
        assert snapshotter is not None
        runs = [await on.client.start(adding_often, 15) for _ in range(3)]
        await asyncio.wait_for(journal.busy.wait(), DEADLINE_S)
        for run in runs:
            await run.signal(go, 1)
        assert await results(runs) == [16, 16, 16]
        assert tree.actor("snapshotter") is snapshotter
        assert await snapshotter.stop(timeout=DEADLINE_S) is not KILLED
