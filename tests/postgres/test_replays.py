"""Histories that a real Postgres gives back replay as they were written."""

from __future__ import annotations

import asyncio

import pytest

import continuum
from continuum import Signal, activity, workflow
from continuum.engine.events import EventType
from continuum.journal.port import StoredHistory
from continuum.journal.postgres import PostgresJournal
from continuum.journal.untyped_values import readable
from continuum.testing import History, assert_replays, postgres_env, replay
from tests.contract.builders import commit, owned_run, worker_of, write
from tests.contract.test_snapshots import calls

verdict = Signal("verdict", str)


@activity(name="replays.ship")
async def ship(order: str) -> str:
    """Ship an order."""
    return f"track-{order}"


@workflow(name="replays.chain")
async def chain(first: int) -> int:
    """Read twice from outside; the second read depends on the first."""
    read = continuum.side_effect(lambda: first + 1)
    return continuum.side_effect(lambda: read + 1)


@workflow(name="replays.deciding")
async def deciding(order: str) -> list[str]:
    """Go one of two ways, as a signal says."""
    if await verdict.wait() == "stop":
        return ["stopped", "rejected"]
    return ["went", await ship(order)]


def lived(dsn: str, word: str | None) -> History:
    """Run a workflow on a schema of its own and return what the database then has."""

    async def main() -> History:
        async with postgres_env(dsn) as environment:
            if word is None:
                run = (await environment.start(chain, 1)).id
            else:
                handle = await environment.start(deciding, "o1")
                await handle.signal(verdict, word)
                run = handle.id
            await environment.settle()
            return await environment.history(run)

    return asyncio.run(main())


def test_each_read_is_one_event_and_replays(dsn: str) -> None:
    """RPG1, RPG2, RPG3"""
    history = lived(dsn, None)
    assert [event.type for event in history] == ["side_effect", "side_effect"]
    assert assert_replays(chain, history, expected=3) == 3


@pytest.mark.parametrize(
    ("word", "expected"), [("go", ["went", "track-o1"]), ("stop", ["stopped", "rejected"])]
)
def test_the_signal_that_arrived_decides_and_replays(dsn: str, word: str, expected: list[str]) -> None:
    """RPG4, RPG5"""
    history = lived(dsn, word)
    assert history.ending.result is not None
    assert readable(history.ending.result) == expected
    assert assert_replays(deciding, history, expected=expected) == expected


def test_a_forged_event_is_drift(dsn: str) -> None:
    """RPG6"""
    history = lived(dsn, None)
    first, second = history.stored
    forged = second._replace(type=EventType.PATCHED, body=("other", *second.body[1:3]))
    replayed = replay(chain, History([first, forged], history.beginning, history.ending))
    assert replayed.state == "drifted"
    assert replayed.reason is not None
    assert "patched other" in replayed.reason


def test_a_snapshot_of_a_later_format_is_ignored_for_the_events(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SNF3, B67: deploys that overlap read what each of them can."""

    async def main() -> None:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        worker = await worker_of(journal)
        run = await owned_run(journal, worker)
        events = calls(2)
        await commit(journal, worker, write(run, *events))
        with monkeypatch.context() as later:
            later.setattr("continuum.journal.postgres.snapshots.SNAPSHOT_FORMAT", 99)
            assert await journal.take_snapshot(run.id, "v", 0) == len(events)
        assert (await journal.load_compact([(run.id, "v")]))[run.id] == StoredHistory(None, events)
        await journal.take_snapshot(run.id, "v", 0)
        found = (await journal.load_compact([(run.id, "v")]))[run.id]
        assert found.compact is not None
        assert found.compact.events == len(events)
        await journal.close()

    asyncio.run(main())
