"""A start is announced to one host, which executes the first step before it owns the run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from continuum import RunCancelled, RunHandle, Signal, Workflow, activity, workflow
from continuum.engine.ids import RunId
from continuum.journal.announced_run import AnnouncedRun
from continuum.journal.port import Committed, Notification, Topic
from continuum.journal.postgres import PostgresJournal
from continuum.settings.settings import Settings
from continuum_supervision import NORMAL, ActorDied
from tests.process.actors.hosting import (
    LONG_LEASE_S,
    Stage,
    Tree,
    eventually,
    hold_calls,
    hold_claims,
    known,
    replace_call,
    results,
    stage,
)
from tests.process.actors.orders import charged
from tests.unit.versions.written_modules import module_of

RESULT_S = 60.0
go = Signal("go", str)
noted: Counter[str] = Counter()
let_go = asyncio.Event()


@activity(name="announced.note")
async def note(text: str) -> str:
    """Record that it ran."""
    noted[text] += 1
    return f"noted {text}"


@workflow(name="announced.noting")
async def noting(text: str) -> str:
    """Run one activity."""
    return await note(text)


@activity(name="announced.hold")
async def hold(number: int) -> int:
    """Last until the test lets it end."""
    await let_go.wait()
    return number


@workflow(name="announced.holding")
async def holding(number: int) -> int:
    """Run an activity that lasts."""
    return await hold(number)


@workflow(name="announced.waiting")
async def waiting() -> str:
    """Wait for a signal."""
    return await go.wait()


WORKFLOWS = (noting, waiting, holding)

VERSIONED = """
from continuum import workflow
from tests.process.actors.orders import charge

@workflow(name="announced.versioned")
async def order() -> str:
    return await charge(NUMBER)
"""


class Deaf(PostgresJournal):
    """Loses every announcement, and counts them."""

    lost = 0

    async def notifications(
        self, topics: Sequence[Topic], *, channel: str | None = None
    ) -> AsyncIterator[Notification]:
        async for notification in super().notifications(topics, channel=channel):
            if notification.topic is Topic.STARTED:
                self.lost += 1
            else:
                yield notification


async def announced(on: Stage, run: RunHandle[Any], flow: Workflow[..., Any], *given: str) -> AnnouncedRun:
    """Return what announces a run with these arguments."""
    row = await on.journal.get_run(RunId(run.id))
    assert row is not None
    input = flow.arguments.encode_call(given, {})
    return AnnouncedRun(row.id, row.workflow, row.namespace, input, row.trace_context, row.started_at)


async def test_a_lone_run_is_executed_without_a_claim(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        hold_claims(tree)

        run = await on.client.start(noting, "lone")

        assert await run.result(RESULT_S) == "noted lone"
        assert noted["lone"] == 1


async def test_a_run_that_was_taken_receives_its_mail(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        run = await on.client.start(waiting)
        await on.until_state(run, "suspended")
        hold_claims(tree)

        await run.signal(go, "yes")

        assert await run.result(RESULT_S) == "yes"


@pytest.mark.parametrize("said", ["signal", "cancel"])
async def test_mail_before_the_first_write_is_received(said: str, dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS, settings=Settings(lease_ttl=LONG_LEASE_S, poll=3600))
        await known(on, tree)
        claims, commits = hold_claims(tree), hold_calls(tree, "commit")
        run = await on.client.start(waiting)
        await eventually(lambda: bool(tree.host.live_runs()), "the run does not begin")
        await (run.signal(go, "early") if said == "signal" else run.cancel())

        commits.set()
        await eventually(lambda: not tree.host.live_runs(), "the run was taken without its mail")
        claims.set()

        if said == "signal":
            assert await run.result(RESULT_S) == "early"
        else:
            with pytest.raises(RunCancelled):
                await run.result(RESULT_S)


@pytest.mark.parametrize("late", [False, True], ids=["before it takes effect", "after it took effect"])
async def test_a_run_whose_host_is_lost_with_the_first_write_is_executed_once(
    late: bool, dsn: str, schema: str
) -> None:
    """The write may also reach the server when the run has another owner."""
    text = f"lost {late}"
    async with stage(dsn, schema) as on:
        lost = await on.tree(*WORKFLOWS)
        await known(on, lost)
        hold_claims(lost)
        commit, arrived, gone = lost.host.journal.once.commit, asyncio.Event(), asyncio.Event()

        async def unanswered(*write: Any) -> Committed:
            if late:
                await commit(*write)
            arrived.set()
            await gone.wait()
            return await commit(*write)

        replace_call(lost.host, "commit", unanswered)
        run = await on.client.start(noting, text)
        await arrived.wait()
        worker = lost.host.registered_worker()
        await on.journal.retire_worker(worker.id, executing=None, poison_after=3)

        await on.tree(*WORKFLOWS, node="south")

        assert await run.result(RESULT_S) == f"noted {text}"
        gone.set()
        await eventually(lambda: lost.host.registered_worker() != worker, "the late write took effect")
        assert noted[text] == 1


async def test_runs_whose_announcements_are_lost_are_found_by_the_poll(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        journal = Deaf(dsn, schema=schema)
        await journal.open()
        on.exits.push_async_callback(journal.close)
        settings = Settings(lease_ttl=LONG_LEASE_S, poll=0.1)
        tree = await on.tree_on(journal, *WORKFLOWS, settings=settings)
        await known(on, tree)
        run = await on.client.start(waiting)
        await on.until_state(run, "suspended")
        tree.host.runs.release_all()
        await eventually(lambda: not tree.host.live_runs(), "the run is not released")

        await run.signal(go, "found")

        assert await run.result(RESULT_S) == "found"
        assert journal.lost == 2, "nothing was announced"


async def test_a_forged_announcement_changes_nothing(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        claims = hold_claims(tree)
        run = await on.client.start(noting, "honest")
        forged = await announced(on, run, noting, "forged")
        await known_tokens(tree)
        tree.host.dispatcher.begin(forged)
        tree.host.dispatcher.begin(forged._replace(id=RunId("00000000-0000-4000-8000-000000000000")))
        await eventually(lambda: not tree.host.live_runs(), "a forged run stays live")

        claims.set()

        assert await run.result(RESULT_S) == "noted honest"
        assert noted["forged"] == 0


async def test_a_run_that_two_hosts_begin_is_executed_by_one(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        trees = [await on.tree(*WORKFLOWS, node=node) for node in ("north", "south")]
        held = [hold_claims(tree) for tree in trees]
        runs = [await on.client.start(noting, f"both {number}") for number in range(20)]
        for tree in trees:
            await known_tokens(tree)
        for number, run in enumerate(runs):
            for tree in (*trees, *trees):
                tree.host.dispatcher.begin(await announced(on, run, noting, f"both {number}"))

        results = [await run.result(RESULT_S) for run in runs]

        assert results == [f"noted both {number}" for number in range(20)]
        assert [noted[f"both {number}"] for number in range(20)] == [1] * 20
        for event in held:
            event.set()


async def test_a_run_that_hosts_of_two_versions_begin_has_the_version_of_the_one_that_took_it(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    texts = {number: VERSIONED.replace("NUMBER", str(number)) for number in (2001, 2002)}
    flows = {number: module_of(text, tmp_path).order for number, text in texts.items()}
    async with stage(dsn, schema) as on:
        trees = [await on.tree(flow, node=f"of {number}") for number, flow in flows.items()]
        commits = [hold_calls(tree, "commit") for tree in trees]
        claims = [hold_claims(tree) for tree in trees]
        run = await on.client.start(flows[2001])
        for tree, flow in zip(trees, flows.values(), strict=True):
            await known_tokens(tree)
            tree.host.dispatcher.begin(await announced(on, run, flow))
        await eventually(lambda: all(tree.host.live_runs() for tree in trees), "it does not begin twice")

        for event in (*commits, *claims):
            event.set()

        result = await run.result(RESULT_S)
        row = await on.journal.get_run(RunId(run.id))
        assert row is not None
        (took,) = (number for number, flow in flows.items() if flow.version_hash == row.version)
        assert result == f"payment {took}"
        assert [charged[number] for number in flows] == [int(number == took) for number in flows]


async def test_a_host_without_room_leaves_the_run_to_others(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        full = await on.tree(
            *WORKFLOWS, node="north", settings=Settings(lease_ttl=LONG_LEASE_S, active_runs=1)
        )
        await known(on, full)
        full.host.runs.activated(full.actor("writer"))  # type: ignore[arg-type]
        free = await on.tree(*WORKFLOWS, node="south")
        hold_claims(full)

        run = await on.client.start(noting, "passed on")

        assert await run.result(RESULT_S) == "noted passed on"
        assert not full.host.live_runs()
        assert free.host.registered_worker() != full.host.registered_worker()


async def test_a_lone_run_does_not_wait_behind_a_backlog(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS, settings=Settings(lease_ttl=LONG_LEASE_S, active_runs=10))
        await known(on, tree)
        starts = [on.client.start(holding, number) for number in range(40)]
        held = await asyncio.gather(*starts)
        await eventually(lambda: tree.host.runs.room() <= 0, "the host is not full")

        run = await on.client.start(noting, "between")

        assert await run.result(RESULT_S) == "noted between"
        assert tree.host.runs.room() <= 0
        let_go.set()
        assert await results(held) == list(range(40))


@pytest.mark.parametrize("error", [ActorDied(NORMAL), RuntimeError("no room")], ids=["dead", "error"])
async def test_an_announced_run_that_cannot_be_started_is_claimed(
    dsn: str, schema: str, error: Exception
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(*WORKFLOWS)
        await known(on, tree)
        dispatcher, runs = tree.actor("dispatcher"), tree.host.runs
        start_run = runs.start_run

        def failing(*given: Any) -> None:
            if given[3:]:
                raise error
            start_run(*given)

        setattr(runs, "start_run", failing)  # noqa: B010 - it replaces a method
        run = await on.client.start(noting, f"after {error!r}")

        assert await run.result(RESULT_S) == f"noted after {error!r}"
        assert tree.actor("dispatcher") is dispatcher


async def known_tokens(tree: Tree) -> None:
    """Give the dispatcher tokens while its claims are held."""
    dispatcher: Any = tree.host.dispatcher
    dispatcher._tokens += await tree.host.journal.draw_tokens(64)
