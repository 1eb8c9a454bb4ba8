"""The engine of an environment: one tree of actors after the other, on one journal and one clock."""

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
from continuum.testing.killable_journal import TreeJournal
from continuum.testing.mock_activities import MockedActivity
from continuum.testing.replay_after_each_write import ReplayAfterEachWrite
from continuum.testing.run_host import Tree, patient_settings
from continuum.testing.virtual_clock import VirtualClock
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits


class Engine:
    """Starts a tree, lets it settle, moves its time, and replaces it when it is killed.

    `crashes` are the moments, numbered from 1, in which the process dies.
    """

    def __init__(
        self,
        journal: MemoryJournal,
        clock: VirtualClock,
        mocks: Mapping[str, MockedActivity[..., Any]],
        *,
        draw: Callable[[int], bytes],
        shuffle: random.Random | None,
        replays: ReplayAfterEachWrite | None,
        crashes: frozenset[int],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._mocks = mocks
        self._draw = draw
        self._shuffle = shuffle
        self._replays = replays
        self._crashes = crashes
        self._seen: Counter[str] = Counter()
        self.moments: list[str] = []
        self._code = Code(())
        self._tree: Tree | None = None
        self._link: TreeJournal | None = None
        self._starting = asyncio.Lock()
        self._dying: asyncio.Task[None] | None = None
        self._closed = False

    async def run(self, code: Code) -> None:
        """Be alive, with this code loaded."""
        if self._closed:
            raise NotReady("the environment is closed; make another with continuum.testing.env()")
        self._code = code
        async with self._starting:
            if self._tree is None:
                await self._begin()
            else:
                await self._tree.load(code, self._journal)

    async def settle(self, patience: float) -> None:
        """Return once nothing can happen unless time passes or somebody outside does something."""
        while True:
            if self._dying is not None:
                await asyncio.shield(self._dying)
            tree = self._tree
            assert tree is not None, "somebody has run it"
            await tree.settle(patience)
            if self._dying is not None or self._tree is not tree:
                continue
            due = self._clock.next_due()
            if due is None or due > self._clock.microseconds():
                return
            # Arranged for now or before: a run was taken up whose timer is overdue.
            self._clock.move_to(due)

    async def next_due(self) -> int | None:
        """Return the next moment in which something is to happen by itself."""
        alarm = self._clock.next_due()
        now = self._clock.microseconds()
        # A run that nobody holds has no timer in any wheel; one that is due and stays is not ours to take.
        unowned = await self._journal.next_due(self._code.loaded)
        moments = [moment for moment in (alarm, unowned) if moment is not None and moment > now]
        return min(moments, default=None)

    async def move_to(self, moment: int) -> None:
        """Let it be then."""
        self._clock.move_to(moment)
        if self._tree is not None and self._dying is None:
            self._tree.host.dispatcher.look()

    async def stop(self) -> None:
        """End in order, for good."""
        self._closed = True
        if self._dying is not None:
            await self._dying
        tree, self._tree = self._tree, None
        if tree is not None:
            await tree.stop()

    # What a tree's journal tells.

    def dies(self, moment: str, told: str) -> bool:
        """Count a moment; True when it is one to die in."""
        self._seen[moment] += 1
        about = f": {told}" if told else ""
        self.moments.append(f"{moment} (number {self._seen[moment]}{about})")
        return len(self.moments) in self._crashes

    async def has_committed(self, run_ids: Sequence[RunId]) -> None:
        """Have the grown histories checked."""
        if self._replays is not None:
            await self._replays.check(run_ids)

    async def _begin(self) -> None:
        self._link = TreeJournal(self._journal, self, self._died)
        self._tree = Tree(
            cast("Journal", self._link),
            self._code,
            self._mocks,
            settings=patient_settings(),
            clock=self._clock,
            shuffle=self._shuffle,
            draw=self._draw,
        )
        await self._tree.start()

    def _died(self) -> None:
        assert self._tree is not None, "it was alive until now"
        self._tree.killed = True
        self._dying = asyncio.get_running_loop().create_task(self._replace())

    async def _replace(self) -> None:
        """Clear away a process that was killed, free what it held as its node would, and start another."""
        tree, link = self._tree, self._link
        assert tree is not None
        assert link is not None
        link.cut()
        await tree.stop()
        await self._journal.retire_worker(
            tree.host.registered_worker().id, executing=None, poison_after=limits.POISON_AFTER_DEATHS
        )
        self._dying = None
        await self._begin()
