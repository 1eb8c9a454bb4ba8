"""A journaled call whose options this release does not know, on both journals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from continuum import Client, activity, workflow
from continuum.engine.events import Event, EventType
from continuum.engine.ids import NodeId, RunId
from continuum.journal.facts import RunState, RunWrite, Transition
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Fault, Journal, Loaded
from continuum.journal.postgres import PostgresJournal
from continuum.settings.settings import Settings
from continuum.testing.run_host import RunHost
from continuum.versions.loaded_code import Code
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S

REFUSED: list[dict[str, Any]] = [
    {"cooldown": 3},
    {"timeout": "soon"},
    {"timeout": -1.0},
    {"priority": 1.5},
    {"executor": "fiber"},
    {"retry": [1, "exponential"]},
    {"retry": [3, "fibonacci", 1.0, 60.0, 0.0, []]},
    {"retry": 7},
    {"key": 7},
]


@activity(name="odd_options.step")
async def step(number: int) -> int:
    """Return what it is given."""
    return number


@workflow(name="odd_options.flow")
async def flow(number: int) -> int:
    """Make one call."""
    return await step.options(timeout=60, idempotency_key=f"key {number}")(number)


@asynccontextmanager
async def opened(journal: Journal) -> AsyncIterator[Journal]:
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


async def begun_elsewhere(client: Client, journal: Journal, options: dict[str, Any]) -> RunId:
    """Start a run whose only call another node has journaled, which then left."""
    run = await client.start(flow, 1)
    worker = await journal.register_worker(NodeId("newer"), "run_host", 1, LONG_LEASE_S)
    (claimed,) = await journal.claim(worker, [Loaded(flow.name, flow.version_hash)], 1)
    call = (
        "odd_options.step",
        flow.fn.__qualname__,
        "flows.py:1",
        step.arguments.encode_call((1,), {}),
        options,
    )
    write = RunWrite(claimed.id, claimed.token, [Event(0, EventType.ACTIVITY_SCHEDULED, journal.now(), call)])
    write.transition = Transition(RunState.RUNNING)
    committed = await journal.commit(worker, 1, [write])
    assert not committed.rejected
    await journal.retire_worker(worker.id, executing=None, poison_after=3)
    return RunId(run.id)


async def resumed(journal: Journal, options: dict[str, Any]) -> tuple[str, str | None, Fault | None]:
    """Return how the run stands once a host of this release has taken it over."""
    async with opened(journal), Client(journal) as client:
        run_id = await begun_elsewhere(client, journal, options)
        host = RunHost(journal, Code([flow]), {}, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.05))
        await host.start()
        try:
            sound = await client.start(flow, 2)
            assert await sound.result(60) == 2
            async with asyncio.timeout(DEADLINE_S), aclosing(client.events()) as events:
                async for change in events:
                    if change.run_id == run_id and change.state in ("completed", "blocked"):
                        break
            row = await journal.get_run(run_id)
            assert row is not None
            return row.state.name.lower(), row.reason, row.fault
        finally:
            await host.stop()


def journal_of(kind: str, dsn: str, schema: str) -> Journal:
    return MemoryJournal() if kind == "memory" else PostgresJournal(dsn, schema=schema)


@pytest.mark.parametrize("kind", ["memory", "postgres"])
@pytest.mark.parametrize("options", REFUSED, ids=str)
async def test_a_call_with_options_of_another_release_blocks_its_run_alone(
    kind: str, options: dict[str, Any], dsn: str, schema: str
) -> None:
    state, reason, fault = await resumed(journal_of(kind, dsn, schema), options)
    assert (state, fault and fault.kind, fault and fault.position) == ("blocked", "corrupt", 0)
    assert reason is not None
    assert "event 0: the options of odd_options.step are not what this release writes" in reason
    assert reason.endswith("then `continuum runs unblock`, or cancel the run")


@pytest.mark.parametrize("kind", ["memory", "postgres"])
async def test_a_call_with_every_option_of_this_release_is_made(kind: str, dsn: str, schema: str) -> None:
    options: dict[str, Any] = {
        "timeout": 60.0,
        "heartbeat_timeout": 50.0,
        "total_timeout": 600.0,
        "priority": 3,
        "at_most_once": False,
        "retry": [3, "constant", 1.0, 60.0, 0.5, ["builtins.ValueError"]],
        "key": "another key",
    }
    state, reason, fault = await resumed(journal_of(kind, dsn, schema), options)
    assert (state, reason, fault) == ("completed", None, None)
