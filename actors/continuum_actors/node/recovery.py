"""Recovery: frees what dead workers held.

A death in this node is heard of in milliseconds and acted on at once. A death
elsewhere shows as a lease that has run out: whoever sees it first takes it over. A
lease is given a moment of grace, so that after an outage of the database its
owner, who is just as late as everybody, renews it first.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.journal.port import Journal
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits
from continuum_actors.host.backoff import until_available
from continuum_actors.host.looping_actor import WorkingActor

log = logging.getLogger("continuum.recovery")

# Owners renew when the database is back; this is how long takers wait for them.
GRACE_SECONDS = 0.5
_LOOKING_BACK = "looking for an earlier life of this node"


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A process of this node is gone; `executing` is the run whose code it was in, if any."""

    worker: WorkerId
    executing: RunId | None


class Recovery(WorkingActor):
    """Takes leases away from the dead. `boot` is True the first time this node's control process starts.

    `earlier` knows names under which this node lived before, beside its own.
    """

    def __init__(
        self,
        journal: Journal,
        node: NodeId,
        code: Code,
        *,
        boot: bool,
        draw: Callable[[], float],
        earlier: Callable[[str], bool] | None = None,
    ) -> None:
        self._journal = journal
        self._node = node
        self._code = code
        self._boot = boot
        self._draw = draw
        self._earlier = earlier
        self._check_at: float | None = None
        self._changed = asyncio.Event()

    async def init(self) -> None:
        if self._boot:
            await self._after_boot()
        self.begin_work(self._check_for_ever())
        self.begin_work(self._sweep_for_ever())

    async def handle_cast(self, message: WorkerDied) -> None:
        """A process of this node died."""
        await self._retire(message.worker, message.executing, only_expired=False)

    def handle_info(self, message: BaseException | float) -> None:
        """Some worker's lease runs out in so many seconds; or a task failed, and so does recovery."""
        if isinstance(message, BaseException):
            raise message
        at = asyncio.get_running_loop().time() + max(message, 0.0) + GRACE_SECONDS
        if self._check_at is None or at < self._check_at:
            self._check_at = at
            self._changed.set()

    async def _after_boot(self) -> None:
        """Free what earlier lives of this node held, and let fixed code try what was blocked."""
        for node in await self._lives():
            for worker, pid in await until_available(
                partial(self._journal.node_workers, node), _LOOKING_BACK, self._draw
            ):
                if not is_alive(pid):
                    await self._retire(worker, None, only_expired=False)
        freed = await until_available(
            partial(self._journal.unblock, list(self._code.workflows)),
            "trying blocked runs again",
            self._draw,
        )
        if freed:
            log.info("%d blocked runs are tried again with the code of this node", freed)

    async def _lives(self) -> list[NodeId]:
        """Return the names of this node, those under which it died included, and forget the latter."""
        names = [self._node]
        if self._earlier is not None:
            for row in await until_available(self._journal.nodes, _LOOKING_BACK, self._draw):
                node = NodeId(row.node)
                if node != self._node and self._earlier(node) and not is_alive(row.pid):
                    await until_available(partial(self._journal.retire_node, node), _LOOKING_BACK, self._draw)
                    names.append(node)
        return names

    async def _retire(self, worker: WorkerId, executing: RunId | None, *, only_expired: bool) -> None:
        freed = await until_available(
            partial(
                self._journal.retire_worker,
                worker,
                executing=executing,
                poison_after=limits.POISON_AFTER_DEATHS,
                only_expired=only_expired,
            ),
            "freeing what a dead worker held",
            self._draw,
        )
        if freed.runs or freed.tasks:
            log.warning(
                "worker %d is dead: %d runs and %d tasks of it are free", worker, freed.runs, freed.tasks
            )

    async def _check_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            nap = None if self._check_at is None else self._check_at - loop.time()
            if nap is None or nap > 0:
                try:
                    async with asyncio.timeout(nap):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                continue
            self._check_at = None
            for worker in await until_available(
                self._journal.expired_workers, "looking for the dead", self._draw
            ):
                await self._retire(worker, None, only_expired=True)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(limits.SWEEP_SECONDS * (0.5 + self._draw()))
            await until_available(self._journal.sweep, "sweeping", self._draw)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """A killed process whose parent died with it stays a while, in some containers for ever."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        # Gone meanwhile, or a system without /proc; then the lease runs out.
        return False
    return state in ("Z", "X")
