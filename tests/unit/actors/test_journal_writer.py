"""When the journal writer takes more work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from continuum.engine.ids import RunId
from continuum.journal.port import RunWrite
from continuum.telemetry.measures import Measures
from continuum_actors.host.host import Host
from continuum_actors.host.limits import WAITING_WRITES
from continuum_actors.run.journal_writer import JournalWriter
from continuum_supervision import Actor, spawn_nowait


class _Journal:
    """Commits one batch each time that one is allowed."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.began = asyncio.Event()
        self.told = asyncio.Semaphore(0)

    async def commit(self, worker: object, batch: int, writes: Sequence[RunWrite]) -> Any:
        self.batches.append(len(writes))
        self.began.set()
        await self.told.acquire()
        return SimpleNamespace(rejected=())


class _Run(Actor):
    """The run that a commit is confirmed to."""

    def handle_cast(self, message: object) -> None:
        """Take no notice."""


async def _caught_up_after() -> tuple[list[bool], list[int]]:
    """Submit one write, and then too many; return whether the writer is behind, and its batches."""
    journal = _Journal()
    host = SimpleNamespace(
        journal=journal,
        lease=SimpleNamespace(batch=0),
        registered_worker=lambda: None,
        hints=False,
        measures=Measures(),
    )
    writer = JournalWriter(cast(Host, host))
    of_writer, run = spawn_nowait(writer), spawn_nowait(_Run())
    writer.submit(RunWrite(RunId("0"), 1), run)
    # It commits the first one alone.
    await journal.began.wait()
    behind = []
    for number in range(1, WAITING_WRITES + 1):
        behind.append(writer.behind)
        writer.submit(RunWrite(RunId(str(number)), 1), run)
    assert writer.behind
    journal.told.release()
    await writer.caught_up()
    # Only the second batch lets it return.
    assert len(journal.batches) == 2
    behind.append(writer.behind)
    journal.told.release()
    await of_writer.stop()
    return behind, journal.batches


def test_the_writer_is_behind_until_what_waits_is_on_its_way() -> None:
    behind, batches = asyncio.run(_caught_up_after())
    assert not any(behind)
    assert batches == [1, WAITING_WRITES]
