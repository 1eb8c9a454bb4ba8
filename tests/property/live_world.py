"""A live system for a state machine: run hosts on one journal, one after the other, and clients.

A host dies as with `kill -9`, at once or when a fuse that counts its writes has burnt down. Then its
node releases what it owned and another host takes over. Time is virtual on the memory journal, and
the server's on Postgres.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from continuum import Client
from continuum.engine.ids import RunId
from continuum.errors import RunTerminal
from continuum.journal.facts import Query, RunRow, RunState
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Journal
from continuum.settings.settings import Settings
from continuum.testing.killable_journal import KillableJournal
from continuum.testing.run_host import NEVER_SECONDS, RunHost
from continuum.testing.virtual_clock import VirtualClock, microseconds_in
from continuum.versions.loaded_code import Code
from continuum_actors.host.host import NotStarted
from tests.property.composed_programs import work_flow, work_flow_changed
from tests.property.composed_works import Work, signals_of
from tests.property.ledger import ledger
from tests.property.written_histories import WrittenHistories

FIRST = Code([work_flow])
CHANGED = Code([work_flow_changed])
PATIENCE_S = 60.0
# Often enough that most resumed runs have a snapshot.
SNAPSHOT_EVENTS = 6
# More than any example has.
MOST_RUNS = 1_000


class World:
    """Journal, clock, one host at a time, and a client; `written` checks every write."""

    def __init__(self, stored: Journal, clock: VirtualClock | None, seed: int) -> None:
        ledger.clear()
        self.written = WrittenHistories(stored)
        self.stored = stored
        self.clock = clock
        self.client = Client(stored)
        self.code = FIRST
        # The number of moments before and after writes until the host dies.
        self.fuse: int | None = None
        self.leases_lost = 0
        self._chance = random.Random(seed)
        self._tree: RunHost | None = None
        self._link: KillableJournal | None = None
        self._dying: asyncio.Task[None] | None = None
        self._sent: dict[tuple[RunId, str], int] = {}

    @classmethod
    def in_memory(cls, seed: int) -> World:
        """Return a world with virtual time."""
        clock = VirtualClock()
        return cls(MemoryJournal(clock.microseconds), clock, seed)

    async def open(self) -> None:
        """Open the journal and start a host."""
        await self.stored.open()
        await self._begin()

    async def close(self) -> None:
        """Stop in order; the journal keeps its contents."""
        self.fuse = None
        if self._dying is not None:
            await self._dying
        if self._tree is not None:
            await self._tree.stop()
        await self.client.close()
        await self.stored.close()

    # What a machine does.

    async def settle(self) -> None:
        """Wait until nothing happens before time passes."""
        if self.clock is None:
            await self._settle_in_real_time()
            return
        while True:
            tree = await self._alive()
            await tree.settle(PATIENCE_S)
            if self._dying is not None or self._tree is not tree:
                continue
            due = self.clock.next_due()
            if due is None or due > self.clock.microseconds():
                return
            self.clock.move_to(due)

    async def advance(self, seconds: float) -> None:
        """Advance the clock; on Postgres, time passes by itself."""
        await self.settle()
        if self.clock is None:
            return
        until = self.clock.microseconds() + microseconds_in(seconds)
        while (due := await self._next_due()) is not None and due <= until:
            await self._move_to(due)
        await self._move_to(until)

    async def kill(self) -> None:
        """Kill the host now, and let another take over."""
        await self._alive()
        self._died()
        await self._alive()

    async def lose_the_lease(self) -> None:
        """End the host's lease; it continues until it learns that it owns nothing."""
        tree = await self._alive()
        self.leases_lost += 1
        await self.stored.retire_worker(
            tree.host.registered_worker().id, executing=None, poison_after=MOST_RUNS
        )

    async def deploy(self, code: Code) -> None:
        """Stop in order and start with this code."""
        tree = await self._alive()
        self.code = code
        await tree.stop()
        if self._dying is None and self._tree is tree:
            await self.stored.retire_worker(
                tree.host.registered_worker().id, executing=None, poison_after=MOST_RUNS
            )
            await self._begin()
        # Otherwise the host died while it stopped.
        await self._alive()

    async def release_suspended(self) -> None:
        """Let the host release every run that only waits; one that is restarting has none."""
        runs = (await self._alive()).host.runs
        if not isinstance(runs, NotStarted):
            runs.release_all()

    async def restart_client(self) -> None:
        """Replace the client."""
        await self.client.close()
        self.client = Client(self.stored)

    async def rows(self) -> list[RunRow]:
        """Return every run."""
        return list(await self.stored.query(Query(None, [], ("id", False), MOST_RUNS, None)))

    def unsent(self, first: RunRow) -> list[tuple[str, int]]:
        """Return the signals that a chain waits for and that were not sent yet; in order for each name."""
        return [
            (name, value)
            for name, value in signals_of(work_in(first))
            if value >= self._sent.get((first.id, name), 0)
        ]

    async def send(self, first: RunId, any_run: RunId, name: str, value: int, *, times: int = 1) -> None:
        """Send a signal to any run of a chain, more than once with one delivery id."""
        try:
            for _ in range(times):
                await self.client.signal(any_run, name, value, delivery_id=f"{name}-{value}")
        except RunTerminal:
            return
        self._sent[first, name] = max(value + 1, self._sent.get((first, name), 0))

    async def send_again(self, chance: random.Random) -> None:
        """Repeat a delivery."""
        if self._sent:
            (run_id, name), following = chance.choice(list(self._sent.items()))
            await self.send(run_id, run_id, name, following - 1)

    # Starting and replacing hosts.

    def dies(self, moment: str, written: str) -> bool:
        """Count a moment before or after a write; True when the host dies in it."""
        if self.fuse is None:
            return False
        self.fuse -= 1
        return self.fuse <= 0

    async def has_committed(self, run_ids: Sequence[RunId]) -> None:
        """Do nothing: `written` checks histories."""

    async def _begin(self) -> None:
        self._link = KillableJournal(cast(MemoryJournal, self.written), self, self._died)
        settings = Settings(lease_ttl=NEVER_SECONDS, snapshot_events=SNAPSHOT_EVENTS)
        if self.clock is not None:
            settings = replace(settings, poll=NEVER_SECONDS, longest_nap=NEVER_SECONDS)
        self._tree = RunHost(
            cast(Journal, self._link),
            self.code,
            {},
            settings=settings,
            clock=self.clock,
            shuffle=random.Random(self._chance.random()),
            random_bytes=self._chance.randbytes,
        )
        await self._tree.start()

    def _died(self) -> None:
        assert self._tree is not None
        self.fuse = None
        self._tree.killed = True
        # A host that is being replaced dies once. The one that takes over may die while it starts.
        if self._dying is None:
            self._dying = asyncio.get_running_loop().create_task(self._replace())

    async def _replace(self) -> None:
        while self._tree is not None and self._tree.killed:
            tree, link = self._tree, self._link
            assert link is not None
            link.cut()
            await tree.stop()
            await self.written.written()
            await self.stored.retire_worker(
                tree.host.registered_worker().id, executing=None, poison_after=MOST_RUNS
            )
            await self._begin()
        self._dying = None

    async def _alive(self) -> RunHost:
        while self._dying is not None:
            await asyncio.shield(self._dying)
        assert self._tree is not None
        return self._tree

    async def _next_due(self) -> int | None:
        assert self.clock is not None
        now = self.clock.microseconds()
        moments = self.clock.next_due(), await self.stored.next_due(self.code.loaded)
        return min((moment for moment in moments if moment is not None and moment > now), default=None)

    async def _move_to(self, moment: int) -> None:
        assert self.clock is not None
        self.clock.move_to(moment)
        (await self._alive()).host.dispatcher.look()
        await self.settle()

    async def _settle_in_real_time(self) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while await self._in_motion():
            assert asyncio.get_running_loop().time() < deadline, "something never comes to rest"
            await asyncio.sleep(0.002)

    async def _in_motion(self) -> bool:
        tree = await self._alive()
        tree.check()
        moving = Query(None, [("state", "eq", RunState.RUNNING)], ("id", False), 1, None)
        return bool(
            tree.attempts()
            or await self.stored.query(moving)
            or await self.stored.inbox(tree.host.registered_worker(), None)
        )


def work_in(row: RunRow) -> Work:
    """Return the work that a run was started with."""
    args, _ = work_flow.arguments.decode_call(row.input)
    work: Work = args[0]
    return work


def firsts(rows: Iterable[RunRow]) -> list[RunRow]:
    """Return the first run of each chain."""
    return [row for row in rows if row.continued_from is None]


def latest_of(row: RunRow, rows: Iterable[RunRow]) -> RunRow:
    """Return the latest run of a chain."""
    by_id = {each.id: each for each in rows}
    while row.continued_to is not None:
        row = by_id[row.continued_to]
    return row


def waits_for_its_parent(row: RunRow) -> bool:
    """Whether a run is a child that waits until its parent stops it."""
    return work_in(row).stages[0][0].number == 0


def parent_of(row: RunRow, rows: Iterable[RunRow]) -> RunRow:
    """Return the last run of the chain that started a child."""
    return latest_of(next(each for each in rows if each.id == row.parent), rows)
