"""Evicted runs, and runs that cannot continue: what wakes them, and that they disturb no others."""

from __future__ import annotations

import asyncio

import continuum
from continuum import Signal, Workflow, workflow
from continuum.engine.ids import RunId
from continuum.settings.settings import Settings
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S, eventually, results, stage
from tests.process.actors.orders import charge, expected, order, ship, verdict

FEW = 4


@workflow(name="parking.sleeping")
async def sleeping(seconds: float) -> str:
    """Sleep."""
    await continuum.sleep(seconds)
    return "rested"


def few_in_memory() -> Settings:
    """Keep few suspended runs in memory."""
    return Settings(lease_ttl=LONG_LEASE_S, live_suspended_runs=FEW, poll=0.3)


async def test_signals_wake_evicted_runs(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(order, settings=few_in_memory())
        runs = await asyncio.gather(*(on.client.start(order, number) for number in range(30)))
        for run in runs:
            await on.until_state(run, "suspended")
        await eventually(lambda: len(tree.host.runs.which_children()) <= FEW, "too many are live")
        for run in runs:
            await run.signal(verdict, "yes")
        assert await results(runs) == [expected(number) for number in range(30)]


async def test_timers_wake_evicted_runs(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(sleeping, settings=few_in_memory())
        runs = await asyncio.gather(*(on.client.start(sleeping, 1.0) for _ in range(20)))
        await eventually(lambda: len(tree.host.runs.which_children()) > 0, "nothing was claimed")
        await eventually(lambda: len(tree.host.runs.which_children()) <= FEW, "too many are live")
        assert await results(runs) == ["rested"] * 20


def versions_of_a_flow() -> tuple[Workflow[[int], str], Workflow[[int], str]]:
    """The flow as it was deployed, and with a changed helper that its version hash does not cover."""

    @workflow(name="parking.changing")
    async def before(number: int) -> str:
        payment = await charge(number)
        await verdict.wait()
        return await ship(payment)

    @workflow(name="parking.changing")
    async def after(number: int) -> str:
        payment = await ship(str(number))
        await verdict.wait()
        return payment

    after.version_hash = before.version_hash
    return before, after


async def test_a_run_blocked_by_drift_continues_with_fixed_code(dsn: str, schema: str) -> None:
    before, after = versions_of_a_flow()
    async with stage(dsn, schema) as on:
        async with on.alone(before):
            run = await on.client.start(before, 1)
            await on.until_state(run, "suspended")
        async with on.alone(after):
            await run.signal(verdict, "yes")
            await on.until_state(run, "blocked")
            reason = str((await run.get()).reason)
            assert "orders.charge" in reason
            assert "orders.ship" in reason
            stored = await on.journal.get_run(RunId(run.id))
            assert stored is not None
            assert stored.fault is not None
            assert (stored.fault.kind, stored.fault.position) == ("drift", 0)
            assert "orders.charge" in str(stored.fault.expected)
            assert "orders.ship" in str(stored.fault.actual)
        async with on.alone(before):
            await on.journal.unblock([before.name])
            assert await run.result(DEADLINE_S) == "shipped for payment 1"


async def test_i11_a_history_that_cannot_be_read_blocks_its_run_alone(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        async with on.alone(order):
            spoilt, sound = await on.client.start(order, 1), await on.client.start(order, 2)
            await on.until_state(spoilt, "suspended")
            await on.until_state(sound, "suspended")
        await on.sql("update {schema}.events set payload = '\\xc1' where run_id = %s and seq = 1", spoilt.id)
        await on.tree(order)
        for run in (spoilt, sound):
            await run.signal(verdict, "yes")
        assert await sound.result(DEADLINE_S) == expected(2)
        await on.until_state(spoilt, "blocked")
        assert "corrupt" in str((await spoilt.get()).reason)


async def test_i11_odd_rows_block_their_runs_alone(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        async with on.alone(order):
            runs = [await on.client.start(order, number) for number in range(5)]
            for run in runs:
                await on.until_state(run, "suspended")
        started, event, signal, due, sound = runs
        await on.sql("update {schema}.runs set attempt = 2147483647 where id = %s", sound.id)
        await on.sql("update {schema}.runs set started_at = 'infinity' where id = %s", started.id)
        await on.sql("update {schema}.events set at = '-infinity' where run_id = %s", event.id)
        await on.sql("update {schema}.runs set due_at = 'infinity' where id = %s", due.id)
        await on.sql(
            "insert into {schema}.inbox (run_id, kind, name, payload) values (%s, 1, 'verdict', '')",
            signal.id,
        )
        await on.sql(
            "insert into {schema}.workers (node, role, pid, expires_at)"
            " values ('ghost', 'run_host', 1, 'infinity')"
        )
        await on.tree(order)
        for run in (started, event, signal, sound):
            await run.signal(verdict, "yes")
        assert await sound.result(DEADLINE_S) == expected(4)
        for run in (started, event, signal):
            await on.until_state(run, "blocked")
            assert "corrupt" in str((await run.get()).reason)
        assert await on.state_of(due) == "suspended"
        # Mail makes it due.
        await due.signal(verdict, "yes")
        assert await due.result(DEADLINE_S) == expected(3)
        assert len((await on.client.query()).entries) == 5
        await on.journal.renew([], 1.0, None)


async def test_i11_a_node_row_that_cannot_be_read_hides_no_other_node(dsn: str, schema: str) -> None:
    async with stage(dsn, schema) as on:
        for node, processes in (("odd", '{"a": 1}'), ("odder", "7"), ("sound", '[["run_host", 5]]')):
            await on.sql(
                "insert into {schema}.nodes (node, pid, address, state, processes, workflows, renewed_at)"
                " values (%s, 1, 'local', 'up', %s::jsonb, '{{}}', 'infinity')",
                node,
                processes,
            )
        for _ in range(2):
            listed = {row.node: row.processes for row in await on.client.nodes()}
            assert listed == {"odd": [], "odder": [], "sound": [("run_host", 5)]}


async def test_i9_a_run_whose_code_no_node_has_stays_as_it_is(dsn: str, schema: str) -> None:
    """B64"""
    async with stage(dsn, schema) as on:
        await on.tree(order)
        unknown = await on.client.start("parking.unknown", 1)
        await unknown.signal(Signal("go", str), "now")
        known = await on.client.start(order, 1)
        await known.signal(verdict, "yes")
        await known.result(DEADLINE_S)
        rows = await on.sql(
            "select state, owner, attempt, token from {schema}.runs where id = %s", unknown.id
        )
        assert rows == [(1, None, 0, 0)]


async def test_p11_polls_find_everything_without_listen(dsn: str, schema: str) -> None:
    """CLG1, B35"""
    async with stage(dsn, schema) as on:
        await on.tree(order, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.1), listen=False)
        runs = await asyncio.gather(*(on.client.start(order, number) for number in range(20)))
        for run in runs:
            await run.signal(verdict, "yes")
        assert await results(runs) == [expected(number) for number in range(20)]
