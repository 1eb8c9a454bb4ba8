"""The journal writer: one commit in flight, everything that waits in the next.

No timer and no artificial delay: an idle writer flushes at once, a busy one finds
all that has gathered meanwhile. Runs hand writes over with `submit` and hear
`Committed` (or `Fenced`) for each, in order.

When the database is down the writer waits and what is in memory stays; the
journal tells afterwards what became of the commit. When the lease is lost the
whole batch is void, and so is everything that lives on the lease. A write that the
journal refuses for what is in it blocks its run, and nobody else's.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from continuum.engine.ids import RunId
from continuum.errors import SchemaOutOfDate
from continuum.journal.port import LeaseLost, RunState, RunWrite, Transition
from continuum_actors.host import limits
from continuum_actors.host import messages as say
from continuum_actors.host.backoff import until_available
from continuum_actors.host.failures import refusal_reason
from continuum_actors.host.host import Host
from continuum_supervision import Actor, ActorRef, ExitReason

Taken = list[tuple[RunWrite, ActorRef]]

log = logging.getLogger("continuum.journal")

_COMMITTED = say.Committed()
_FENCED = say.Fenced()


class JournalWriter(Actor):
    """Group commit for every run of this process."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._waiting: Taken = []
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
        while self._waiting:
            await self._settle(self._take(), set())

    async def _settle(self, taken: Taken, refused: set[RunId]) -> None:
        """Commit what was taken, in order, without the writes that the journal refuses.

        Each of those is found by halving. Later writes of a refused run build on what is
        not there, and are not written.
        """
        if refused:
            taken = [(write, run) for write, run in taken if write.run_id not in refused]
        if not taken:
            return
        try:
            if len(taken) == 1 and (size := _bytes_of(taken[0][0])) > limits.WRITE_BYTES:
                raise OverflowError(f"{size} bytes at once, and {limits.WRITE_BYTES} are allowed")
            await self._commit(taken)
            return
        except (LeaseLost, SchemaOutOfDate):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is one write's or comes back
            if len(taken) == 1:
                write, run = taken[0]
                refused.add(write.run_id)
                await self._block(write, run, error)
                return
        half = len(taken) // 2
        await self._settle(taken[:half], refused)
        await self._settle(taken[half:], refused)

    async def _block(self, write: RunWrite, run: ActorRef, error: Exception) -> None:
        """Park a run whose write cannot be stored; raises when not even that is accepted."""
        reason = refusal_reason(error)
        log.error("run %s is blocked: %s", write.run_id, reason, exc_info=error)
        blocking = RunWrite(write.run_id, write.token, transition=Transition(RunState.BLOCKED, reason=reason))
        await self._commit([(blocking, run)], _FENCED)

    async def _commit(self, taken: Taken, done: say.Committed | say.Fenced = _COMMITTED) -> None:
        host = self._host
        host.lease.batch += 1
        writes = [write for write, _ in taken]
        committed = await until_available(
            partial(host.journal.commit, host.worker, host.lease.batch, writes), "committing", host.fraction
        )
        for write, run in taken:
            run.cast(_FENCED if write.run_id in committed.rejected else done)

    def _take(self) -> Taken:
        waiting = self._waiting
        events = size = 0
        tokens: dict[RunId, int] = {}
        for position, (write, _) in enumerate(waiting):
            events += len(write.events) + 1
            size += _bytes_of(write)
            # A batch checks one token a run: what an earlier owner left behind goes before the later's.
            another_owner = tokens.setdefault(write.run_id, write.token) != write.token
            if position and (another_owner or events > limits.COMMIT_EVENTS or size > limits.COMMIT_BYTES):
                self._waiting = waiting[position:]
                return waiting[:position]
        self._waiting = []
        return waiting


def _bytes_of(write: RunWrite) -> int:
    """Return the size of the values in a write; all the rest of it is small."""
    size = 0
    for event in write.events:
        for part in event.body:
            if type(part) is bytes:
                size += len(part)
    for task in write.tasks:
        size += len(task.arguments)
    if write.transition is not None:
        size += len(write.transition.result or b"")
    return size
