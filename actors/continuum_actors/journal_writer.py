"""The journal writer: one commit in flight, everything that waits in the next.

No timer and no artificial delay: an idle writer flushes at once, a busy one finds
all that has gathered meanwhile. Runs hand writes over with `submit` and hear
`Committed` (or `Fenced`) for each, in order.

When the database is down the writer waits and what is in memory stays; the
journal tells afterwards what became of the commit. When the lease is lost the
whole batch is void, and so is everything that lives on the lease.
"""

from __future__ import annotations

import asyncio
from functools import partial

from continuum.journal.port import LeaseLost, RunWrite
from continuum_actors import limits
from continuum_actors import messages as say
from continuum_actors.backoff import until_available
from continuum_actors.host import Host
from continuum_supervision import Actor, ActorRef, ExitReason

_COMMITTED = say.Committed()
_FENCED = say.Fenced()


class JournalWriter(Actor):
    """Group commit for every run of this process."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._waiting: list[tuple[RunWrite, ActorRef]] = []
        self._flushing: asyncio.Task[None] | None = None

    def init(self) -> None:
        self._host.writer = self

    def submit(self, write: RunWrite, run: ActorRef) -> None:
        """Make `write` durable; `run` hears of it."""
        self._waiting.append((write, run))
        if self._flushing is None:
            self._begin()

    def handle_info(self, message: BaseException) -> None:
        """A flush failed: so does the writer."""
        raise message

    async def terminate(self, reason: ExitReason) -> None:
        """Write what was handed over in time; runs stop before their writer does."""
        while self._flushing is not None:
            await asyncio.wait([self._flushing])

    def _begin(self) -> None:
        self._flushing = asyncio.get_running_loop().create_task(self._flush())
        self._flushing.add_done_callback(self._flushed)

    def _flushed(self, task: asyncio.Task[None]) -> None:
        self._flushing = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            if self._waiting:
                # Handed over after the flush had looked for the last time and before we heard of its end.
                self._begin()
            return
        self._waiting.clear()
        if isinstance(error, LeaseLost):
            self._host.lease.lost(error)
        else:
            self.ref.send(error)

    async def _flush(self) -> None:
        journal = self._host.journal
        while self._waiting:
            taken = self._take()
            lease = self._host.lease
            lease.batch += 1
            writes = [write for write, _ in taken]
            committed = await until_available(
                partial(journal.commit, self._host.worker, lease.batch, writes),
                "committing",
                self._host.fraction,
            )
            for write, run in taken:
                run.cast(_FENCED if write.run_id in committed.rejected else _COMMITTED)

    def _take(self) -> list[tuple[RunWrite, ActorRef]]:
        waiting = self._waiting
        events = 0
        for position, (write, _) in enumerate(waiting):
            events += len(write.events) + 1
            if events > limits.COMMIT_EVENTS and position:
                self._waiting = waiting[position:]
                return waiting[:position]
        self._waiting = []
        return waiting
