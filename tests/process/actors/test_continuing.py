"""Runs that continue as new: what ends, what moves to the successor, and what their ids name."""

from __future__ import annotations

from continuum.codec.codec import decode
from continuum.engine.ids import RunId
from tests.process.actors.families import (
    adopting,
    calling_a_chain,
    chain,
    endless,
    go,
    listen,
    orderly,
    waiting,
)
from tests.process.actors.hosting import DEADLINE_S, Stage, stage


async def chain_of(on: Stage, run_id: str) -> list[tuple[str, int]]:
    """Return id and state of the runs of a chain, in order."""
    return [
        (row[0], row[1])
        for row in await on.sql(
            "select id::text, state from {schema}.runs where coalesce(root, id) = %s order by started_at",
            run_id,
        )
    ]


async def test_the_id_of_the_first_run_names_the_whole_chain(dsn: str, schema: str) -> None:
    """CNT1, CNT10, CNT12: signals sent ahead move from run to run."""
    async with stage(dsn, schema) as on:
        await on.tree(chain)
        run = await on.client.start(chain, 3)
        for value in (1, 2, 3):
            await run.signal(go, value)
        assert await run.result(DEADLINE_S) == 6
        links = await chain_of(on, run.id)
        assert [state for _, state in links] == [7, 7, 7, 4]
        assert links[0][0] == run.id
        cells = await on.journal.read_published(RunId(run.id), ["total"])
        assert decode(cells["total"].value) == 6


async def test_signals_journaled_before_they_are_awaited_move_to_the_successor(dsn: str, schema: str) -> None:
    """CNT10, B33: acknowledged, read into the history, and not awaited before the run ended."""
    async with stage(dsn, schema) as on:
        await on.tree(orderly)
        run = await on.client.start(orderly, 4, [])
        for value in (1, 2, 3):
            await run.signal(go, value)
        await on.until(
            lambda: on.holds("select sum(greatest(1, -type)) = 3 from {schema}.events"),
            "the signals were not read",
        )
        for turn in range(4):
            await run.signal(listen, turn)
        await run.signal(go, 4)
        assert await run.result(DEADLINE_S) == [1, 2, 3, 4]


async def test_a_parent_waits_for_the_latest_run_of_a_chain(dsn: str, schema: str) -> None:
    """SEC2"""
    async with stage(dsn, schema) as on:
        await on.tree(calling_a_chain, chain)
        run = await on.client.start(calling_a_chain, 2)

        async def born() -> bool:
            return await on.count("select count(*) from {schema}.runs") > 1

        await on.until(born, "there is no child")
        (child,) = await on.sql("select id::text from {schema}.runs where parent_id = %s", run.id)
        for value in (5, 6):
            await on.client.signal(child[0], go, value)
        assert await run.result(DEADLINE_S) == 11
        assert await on.count("select count(*) from {schema}.runs where parent_id is not null") == 3
        assert [event.type for event in await on.client.history(run.id)] == [
            "child_started",
            "child_completed",
        ]


async def test_cancelling_the_first_run_cancels_the_latest_and_its_children(dsn: str, schema: str) -> None:
    """CNT9, CNT13, B52"""
    async with stage(dsn, schema) as on:
        await on.tree(adopting, waiting)
        run = await on.client.start(adopting, [])

        async def moved() -> bool:
            return len(await chain_of(on, run.id)) == 2

        await on.until(moved, "it did not continue")
        (_, first), (tip, _) = await chain_of(on, run.id)
        await on.until_state(on.client.handle(tip), "suspended")
        await run.cancel()

        async def all_over() -> bool:
            return not await on.count("select count(*) from {schema}.runs where state < 4")

        await on.until(all_over, "something lives on")
        assert first == 7
        rows = await on.sql("select state, reason from {schema}.runs where parent_id = %s", tip)
        assert rows == [(6, "parent_cancelled")]


async def test_a_chain_without_end_can_be_cancelled(dsn: str, schema: str) -> None:
    """CNT14, B53: a request to cancel takes effect however fast runs follow each other."""
    async with stage(dsn, schema) as on:
        await on.tree(endless)
        run = await on.client.start(endless, 0)

        async def some() -> bool:
            return len(await chain_of(on, run.id)) > 3

        await on.until(some, "it does not continue")
        await run.cancel()

        async def over() -> bool:
            return not await on.count("select count(*) from {schema}.runs where state < 4")

        await on.until(over, "it continues")
        assert (await chain_of(on, run.id))[-1][1] == 6


async def test_each_run_of_a_chain_has_one_successor_though_its_owners_die(dsn: str, schema: str) -> None:
    """CNT4"""
    async with stage(dsn, schema) as on:
        tree = await on.tree(chain)
        run = await on.client.start(chain, 6)
        for value in range(6):
            await run.signal(go, value)
            await tree.kill("lease" if value % 2 else "writer")
        assert await run.result(DEADLINE_S) == 15
        assert len(await chain_of(on, run.id)) == 7
