"""A worker for tests, which ends runs through the journal as a node would."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from continuum import Client, Signal, workflow
from continuum.codec.codec import encode
from continuum.codec.signal_contracts import declared
from continuum.engine.children import ClosePolicy
from continuum.engine.events import Event
from continuum.engine.ids import NodeId, RunId
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import ClaimedRun, RunState, RunWrite, Transition, Worker
from continuum.journal.family_facts import NewChild, Successor
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Journal
from continuum.journal.version_facts import Loaded, VersionRow

_batches = count(1)


@workflow
async def greeting(name: str, loud: bool = False) -> str:
    """A workflow that no node of these tests executes."""
    return name


@dataclass(slots=True)
class Ending:
    """Claims runs of `greeting` and writes their ends."""

    journal: Journal
    worker: Worker | None = None
    claimed: dict[str, ClaimedRun] = field(default_factory=dict)

    async def claim(self) -> list[ClaimedRun]:
        """Claim every run that can run."""
        if self.worker is None:
            self.worker = await self.journal.register_worker(NodeId("north"), "run_host", 1, 600.0)
        runs = await self.journal.claim(self.worker, [Loaded(greeting.name, "1")], 1000)
        self.claimed |= {run.id: run for run in runs}
        return runs

    async def write(
        self, run_id: str, transition: Transition | None, events: list[Event] | None = None
    ) -> None:
        """Write for a run, which is claimed first if necessary."""
        await self.claim()
        assert self.worker is not None
        run = self.claimed[run_id]
        await self.commit(RunWrite(run.id, run.token, events or [], transition=transition))

    async def commit(self, write: RunWrite) -> None:
        """Commit a write of the worker."""
        assert self.worker is not None
        committed = await self.journal.commit(self.worker, next(_batches), [write])
        assert not committed.rejected

    async def continue_as_new(self, run_id: str) -> str:
        """Continue a run as new, and return the id of the new run."""
        await self.claim()
        run, successor = self.claimed[run_id], RunId(str(uuid.uuid4()))
        ending = Transition(RunState.COMPLETED)
        next_run = Successor(successor, greeting.name, encode([["ann"], {}]))
        await self.commit(RunWrite(run.id, run.token, transition=ending, successor=next_run))
        return successor

    async def bear(self, run_id: str) -> str:
        """Start a child of a run and return its id."""
        await self.claim()
        run, child = self.claimed[run_id], RunId(str(uuid.uuid4()))
        born = NewChild(1, child, greeting.name, encode([["ann"], {}]), ClosePolicy.CASCADE)
        await self.commit(RunWrite(run.id, run.token, children=[born]))
        return child

    async def publish(self, run_id: str, **values: object) -> None:
        """Publish values under their names."""
        await self.claim()
        run = self.claimed[run_id]
        published = [(name, encode(value)) for name, value in values.items()]
        await self.commit(RunWrite(run.id, run.token, published=published))

    async def declare(self, *signals: Signal[Any]) -> None:
        """Register the signals of this node's code, as its version registry does."""
        declarations = declared({signal.name: signal for signal in signals})
        row = VersionRow(greeting.name, "1", "1", "tests", declarations, None)
        await self.journal.register_versions([row])

    async def complete(self, run_id: str, value: object) -> None:
        """End a run with a result."""
        await self.write(run_id, Transition(RunState.COMPLETED, result=encode(value)))

    async def fail(self, run_id: str, type: str, message: str) -> None:
        """End a run with an exception."""
        await self.write(run_id, Transition(RunState.FAILED, error=pack_body((type, message, "a stack"))))


@asynccontextmanager
async def memory_client() -> AsyncIterator[tuple[Client, Ending]]:
    """Yield a client on a new memory journal, and a worker that ends its runs."""
    journal = MemoryJournal()
    await journal.open()
    try:
        async with Client(journal) as client:
            yield client, Ending(journal)
    finally:
        await journal.close()
