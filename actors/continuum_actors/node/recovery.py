"""Recovery: releases what dead workers held.

A death in this node is reported within milliseconds and handled at once. A death elsewhere shows as a
lease that has run out; the first node that sees it releases the worker's runs. An expired lease gets
a moment of grace: after an outage of the database every owner is late, and must be able to renew first. So
leases are never judged by an answer that an outage has delayed.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.errors import JournalUnavailable, SchemaOutOfDate
from continuum.journal.facts import Namespaces, Released
from continuum.journal.resilient import ResilientJournal
from continuum.journal.suspect_port import UNEXPLAINED, Death
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits
from continuum_actors.host.looping_actor import LoopingActor
from continuum_actors.host.traces import name_of
from continuum_actors.node.odd_row_log import OddRowLog
from continuum_actors.run.failure_log import log_poison

log = logging.getLogger("continuum.recovery")

# After an outage owners get this long to renew before their runs are released.
GRACE_SECONDS = 0.5
_LOOKING_BACK = "looking for an earlier life of this node"


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A process of this node died, or was stopped in order, for which nothing is blamed.

    `died_at` is its last sign of life on this machine's monotonic clock. `out_of_time` if it ended itself,
    because its activity was past its deadline. `manner` says how it ended.
    """

    worker: WorkerId
    death: Death | None
    died_at: float
    out_of_time: bool = False
    manner: str | None = None


@dataclass(frozen=True, slots=True)
class LookForSuspects:
    """A process that tries suspects has started."""


class Recovery(LoopingActor):
    """Ends the leases of dead workers. `boot` is True only when the node starts, not after a crash.

    `earlier` recognises other names that this node had in earlier lives. At boot, runs of
    `namespaces` are tried again that other code has blocked; dead workers are ended whatever namespaces
    their runs have. `suspects_wait` is called again and again while suspects wait for a trial; without
    `asks_for_suspects` somebody else does that, and it is called after deaths alone.
    """

    def __init__(
        self,
        journal: ResilientJournal,
        node: NodeId,
        code: Code,
        *,
        boot: bool,
        random_fraction: Callable[[], float],
        namespaces: Namespaces = None,
        earlier: Callable[[str], bool] | None = None,
        suspects_wait: Callable[[], None] | None = None,
        asks_for_suspects: bool = True,
    ) -> None:
        self._asks_for_suspects = asks_for_suspects
        self._suspects_wait = suspects_wait
        self._journal = journal
        self._node = node
        self._code = code
        self._boot = boot
        self._random_fraction = random_fraction
        self._namespaces = namespaces
        self._earlier = earlier
        self._check_at: float | None = None
        self._changed = asyncio.Event()
        self._odd_rows = OddRowLog()

    async def init(self) -> None:
        if self._boot:
            await self._after_boot()
        self.start_loop(self._keep_checking())
        self.start_loop(self._keep_sweeping())
        if self._suspects_wait is not None and self._asks_for_suspects:
            self.start_loop(self._keep_looking_for_suspects())

    async def handle_cast(self, message: WorkerDied | LookForSuspects) -> None:
        """Release what a process of this node held that died; have suspects tried that wait."""
        if isinstance(message, WorkerDied):
            await self._release(message)
        await self._look_for_suspects()

    async def _release(self, message: WorkerDied) -> None:
        counted = None
        if message.death is not None:
            counted = await self._journal.blame(message.worker, message.death)
            _report_cause(message)
        released = await self._journal.retire_worker(
            message.worker,
            executing=counted,
            poison_after=limits.POISON_AFTER_DEATHS,
            died_at=message.died_at,
            manner=message.manner,
        )
        await self._report(message.worker, released, counted, out_of_time=message.out_of_time)

    def handle_info(self, message: BaseException | float) -> None:
        """Check leases when one runs out, in `message` seconds; an exception of a loop ends this actor."""
        if isinstance(message, BaseException):
            raise message
        at = asyncio.get_running_loop().time() + max(message, 0.0) + GRACE_SECONDS
        # While no lease has run out, the latest news is right: owners have renewed since.
        if self._check_at is None or message > 0 or at < self._check_at:
            self._check_at = at
            self._changed.set()

    async def _after_boot(self) -> None:
        """Release what earlier lives of this node held, and try runs again that other code has blocked."""
        for node in await self._own_names():
            for worker, pid in await self._journal.node_workers(node):
                if not is_alive(pid):
                    counted = await self._journal.blame(worker, UNEXPLAINED)
                    released = await self._journal.retire_worker(
                        worker, executing=counted, poison_after=limits.POISON_AFTER_DEATHS
                    )
                    await self._report(worker, released, counted)
        unblocked = await self._journal.unblock(
            list(self._code.workflows), namespaces=self._namespaces, code=self._code.digest
        )
        if unblocked:
            log.info("%d blocked runs are tried again with the code of this node", unblocked)

    async def _own_names(self) -> list[NodeId]:
        """Return this node's name and those of its earlier lives, and delete the earlier nodes."""
        names = [self._node]
        if self._earlier is not None:
            for row in await self._journal.nodes():
                node = NodeId(row.node)
                if node != self._node and self._earlier(node) and not is_alive(row.pid):
                    await self._journal.retire_node(node)
                    names.append(node)
        return names

    async def _keep_checking(self) -> None:
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
            try:
                await self._end_expired()
            except (JournalUnavailable, SchemaOutOfDate):
                # The first renewal after the outage reports when to look again.
                continue

    async def _end_expired(self) -> None:
        journal = self._journal.once
        for worker in await journal.expired_workers():
            counted = await journal.blame(worker, UNEXPLAINED, only_expired=True)
            released = await journal.retire_worker(
                worker, executing=counted, poison_after=limits.POISON_AFTER_DEATHS, only_expired=True
            )
            await self._report(worker, released, counted)

    async def _look_for_suspects(self) -> None:
        if self._suspects_wait is not None and await self._journal.suspects_wait():
            self._suspects_wait()

    async def _keep_looking_for_suspects(self) -> None:
        """Have suspects tried here, also those of other nodes, which may be gone."""
        while True:
            await self._look_for_suspects()
            await asyncio.sleep(limits.LOOK_FOR_SUSPECTS_SECONDS * (0.75 + self._random_fraction() / 2))

    async def _keep_sweeping(self) -> None:
        # The first time perhaps soon: nodes that are restarted all the time sweep as well.
        await asyncio.sleep(limits.SWEEP_SECONDS * self._random_fraction())
        while True:
            await self._journal.sweep()
            self._odd_rows.report(await self._journal.odd_rows())
            await asyncio.sleep(limits.SWEEP_SECONDS * (0.5 + self._random_fraction()))

    async def _report(
        self, worker: WorkerId, released: Released, counted: RunId | None, *, out_of_time: bool = False
    ) -> None:
        """Log what the end of a worker has released, unless that was expected, and what it has blocked."""
        if not out_of_time and (released.runs or released.tasks):
            log.warning(
                "worker %d is dead: released its runs (%d) and tasks (%d)",
                worker,
                released.runs,
                released.tasks,
            )
        if counted is not None:
            await log_poison(self._journal.get_run, counted)


def _report_cause(message: WorkerDied) -> None:
    worker, death = message.worker, message.death
    if death is None:
        return
    if death.culprit is not None and message.out_of_time:
        # Its run logs which attempt that was, and what follows.
        log.warning("%s was out of time, so its process was ended", name_of(death.culprit))
    elif death.culprit is not None:
        log.warning("the process of worker %d was killed by %s", worker, name_of(death.culprit))
    elif death.named:
        suspects = ", ".join(map(name_of, death.named))
        log.warning("the process of worker %d may have been killed by one of these: %s", worker, suspects)


def is_alive(pid: int) -> bool:
    """Return whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Recognise a killed process whose parent died too: it stays a while, in some containers for ever."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        # The process is gone by now, or there is no /proc; then its lease runs out.
        return False
    return state in ("Z", "X")
