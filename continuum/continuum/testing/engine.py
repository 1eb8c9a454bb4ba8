"""The engine of an environment: one run host after another, on one journal and one clock."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from continuum.engine.ids import RunId
from continuum.errors import NotReady
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Journal
from continuum.testing.killable_journal import KillableJournal
from continuum.testing.mock_activities import MockedActivity
from continuum.testing.replay_after_each_write import ReplayAfterEachWrite
from continuum.testing.run_host import RunHost, timeless_settings
from continuum.testing.virtual_clock import VirtualClock
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits


class Engine:
    """Starts a run host, waits until it settles, moves its time, and replaces it after a kill.

    `crashes` are the numbers, from 1, of the moments at which the process dies.
    """

    def __init__(
        self,
        journal: MemoryJournal,
        clock: VirtualClock,
        mocks: Mapping[str, MockedActivity[..., Any]],
        *,
        random_bytes: Callable[[int], bytes],
        shuffle: random.Random | None,
        replays: ReplayAfterEachWrite | None,
        crashes: frozenset[int],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._mocks = mocks
        self._random_bytes = random_bytes
        self._shuffle = shuffle
        self._replays = replays
        self._crashes = crashes
        self._seen: Counter[str] = Counter()
        self.moments: list[str] = []
        self._code = Code(())
        self._run_host: RunHost | None = None
        self._link: KillableJournal | None = None
        self._starting = asyncio.Lock()
        self._dying: asyncio.Task[None] | None = None
        self._closed = False

    async def run(self, code: Code) -> None:
        """Load this code, and start a run host if there is none."""
        if self._closed:
            raise NotReady("the environment is closed; make another with continuum.testing.env()")
        self._code = code
        async with self._starting:
            if self._run_host is None:
                await self._begin()
            else:
                await self._run_host.load(code, self._journal)
                await self._run_host.report(self._journal)

    async def settle(self, patience: float) -> None:
        """Return once nothing can happen before time passes or the test does something."""
        while True:
            if self._dying is not None:
                await asyncio.shield(self._dying)
            run_host = self._run_host
            assert run_host is not None, "run() comes first"
            await run_host.settle(patience)
            if self._dying is not None or self._run_host is not run_host:
                continue
            due = self._clock.next_due()
            if due is None or due > self._clock.microseconds():
                return
            # The alarm is for now or earlier: a resumed run has an overdue timer.
            self._clock.move_to(due)

    async def next_due(self) -> int | None:
        """Return the next moment at which something is due."""
        alarm = self._clock.next_due()
        now = self._clock.microseconds()
        # A run without an owner has no timer in any wheel. One that is due already and still has no owner
        # is a run that this code cannot claim.
        unowned = await self._journal.next_due(self._code.loaded)
        moments = [moment for moment in (alarm, unowned) if moment is not None and moment > now]
        return min(moments, default=None)

    async def move_to(self, moment: int) -> None:
        """Set the time."""
        self._clock.move_to(moment)
        if self._run_host is not None and self._dying is None:
            self._run_host.host.dispatcher.look()

    async def stop(self) -> None:
        """Shut down for good."""
        self._closed = True
        if self._dying is not None:
            await self._dying
        run_host, self._run_host = self._run_host, None
        if run_host is not None:
            await run_host.stop()

    # Called by the run host's journal.

    def dies(self, moment: str, written: str) -> bool:
        """Count a moment; True if the process dies at it."""
        self._seen[moment] += 1
        about = f": {written}" if written else ""
        self.moments.append(f"{moment} (number {self._seen[moment]}{about})")
        return len(self.moments) in self._crashes

    async def has_committed(self, run_ids: Sequence[RunId]) -> None:
        """Check the histories that have grown."""
        if self._replays is not None:
            await self._replays.check(run_ids)

    async def _begin(self) -> None:
        self._link = KillableJournal(self._journal, self, self._died)
        self._run_host = RunHost(
            cast("Journal", self._link),
            self._code,
            self._mocks,
            settings=timeless_settings(),
            clock=self._clock,
            shuffle=self._shuffle,
            random_bytes=self._random_bytes,
        )
        await self._run_host.start()
        await self._run_host.report(self._journal)

    def _died(self) -> None:
        assert self._run_host is not None, "it was alive until now"
        self._run_host.killed = True
        self._dying = asyncio.get_running_loop().create_task(self._replace())

    async def _replace(self) -> None:
        """Remove a killed run host, release its runs as its node would, and start another."""
        run_host, link = self._run_host, self._link
        assert run_host is not None
        assert link is not None
        link.cut()
        await run_host.stop()
        await self._journal.retire_worker(
            run_host.host.registered_worker().id, executing=None, poison_after=limits.POISON_AFTER_DEATHS
        )
        self._dying = None
        await self._begin()
