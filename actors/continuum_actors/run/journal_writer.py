"""The journal writer: one commit in flight; everything that arrives meanwhile goes into the next.

There is no timer and no artificial delay: an idle writer commits at once, a busy one finds
everything that has gathered during its last commit. Runs call `submit` and receive
`Committed` (or `Fenced`) for each write, in order.

When the database is down the writer waits, and the writes in memory stay; afterwards the
journal knows what became of the commit. When the lease is lost the whole batch is void, and
so is everything that lives on the lease. A write that the journal refuses because of its
content blocks its own run and no other.
"""

from __future__ import annotations

import asyncio
import logging

from continuum.engine.events import VALUE_PLACES
from continuum.engine.ids import RunId
from continuum.errors import SchemaOutOfDate
from continuum.journal.port import Fault, LeaseLost, RunState, RunWrite, Transition
from continuum_actors.host import limits
from continuum_actors.host.failures import refusal_reason
from continuum_actors.host.host import Host
from continuum_actors.host.messages import Committed, Fenced, ToJournalWriter, WriteRefused
from continuum_supervision import Actor, ActorRef, ExitReason

Batch = list[tuple[RunWrite, ActorRef]]

log = logging.getLogger("continuum.journal")

_COMMITTED = Committed()
_FENCED = Fenced()


class JournalWriter(Actor):
    """Group commit for every run of this process."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._waiting: Batch = []
        self._flushing: asyncio.Task[None] | None = None
        # A batch has been taken from those that wait.
        self._taken = asyncio.Event()

    def init(self) -> None:
        self._host.writer = self

    def handle_cast(self, message: ToJournalWriter) -> None:
        """Take a write, later than `submit` would."""
        self.submit(*message)

    def submit(self, write: RunWrite, run: ActorRef) -> None:
        """Make `write` durable, then send `Committed` or `Fenced` to `run`."""
        self._waiting.append((write, run))
        if self._flushing is None:
            self._start_flush()

    @property
    def behind(self) -> bool:
        """Whether many writes wait, so that no more runs should be woken now."""
        return len(self._waiting) >= limits.WAITING_WRITES

    async def caught_up(self) -> None:
        """Return once it is not behind. If it fails, those that wait here end with it."""
        while self.behind:
            self._taken.clear()
            await self._taken.wait()

    def handle_info(self, message: BaseException) -> None:
        """A flush failed: so does the writer."""
        raise message

    async def terminate(self, reason: ExitReason) -> None:
        """Commit what was submitted in time; runs stop before their writer does."""
        while self._flushing is not None:
            await asyncio.wait([self._flushing])

    def _start_flush(self) -> None:
        self._flushing = asyncio.get_running_loop().create_task(self._flush())
        self._flushing.add_done_callback(self._flushed)

    def _flushed(self, task: asyncio.Task[None]) -> None:
        self._flushing = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            if self._waiting:
                # Submitted after the flush had looked for the last time and before this callback.
                self._start_flush()
            return
        self._waiting.clear()
        if isinstance(error, LeaseLost):
            self._host.lease.lost(error)
        else:
            self.ref.send(error)

    async def _flush(self) -> None:
        while self._waiting:
            batch = self._next_batch()
            self._taken.set()
            await self._settle(batch, set())

    async def _settle(self, batch: Batch, refused: set[RunId]) -> None:
        """Commit a batch, in order, without the writes that the journal refuses.

        Each of those is found by halving. Later writes of a refused run build on one that is
        missing, and are dropped.
        """
        if refused:
            batch = [(write, run) for write, run in batch if write.run_id not in refused]
        if not batch:
            return
        try:
            if len(batch) == 1 and (size := _bytes_of(batch[0][0])) > limits.WRITE_BYTES:
                raise OverflowError(f"{size} bytes at once, and {limits.WRITE_BYTES} are allowed")
            await self._commit(batch)
            return
        except (LeaseLost, SchemaOutOfDate):
            raise
        except Exception as error:  # noqa: BLE001 - either one write's fault, or it comes back for each
            if len(batch) == 1:
                write, run = batch[0]
                refused.add(write.run_id)
                await self._block(write, run, error)
                return
        half = len(batch) // 2
        await self._settle(batch[:half], refused)
        await self._settle(batch[half:], refused)

    async def _block(self, write: RunWrite, run: ActorRef, error: Exception) -> None:
        """Block a run whose write cannot be stored; raises when the journal refuses even that."""
        reason = refusal_reason(error)
        log.debug("the journal refused a write of run %s", write.run_id, exc_info=error)
        blocked = Transition(RunState.BLOCKED, reason=reason, fault=Fault("corrupt"))
        blocking = RunWrite(write.run_id, write.token, transition=blocked)
        blocking.depth, blocking.parent = write.depth, write.parent
        await self._commit([(blocking, run)], WriteRefused(reason))

    async def _commit(self, batch: Batch, done: Committed | WriteRefused = _COMMITTED) -> None:
        host = self._host
        host.lease.batch += 1
        writes = [write for write, _ in batch]
        time, events = asyncio.get_running_loop().time, 0
        began = time()
        committed = await host.journal.commit(host.registered_worker(), host.lease.batch, writes)
        seconds = time() - began
        for write, run in batch:
            events += len(write.events)
            rejected = write.run_id in committed.rejected
            run.cast(_FENCED if rejected else done)
            if (write.creates or write.takes) and not rejected and not run.alive:
                # Its actor crashed before this process owned the run, so there was nothing to release then.
                host.dispatcher.run_crashed(write.run_id)
        host.measures.committed(events, seconds)
        if host.hints:
            host.hint(write.parent for write in writes if write.parent is not None and _ends(write))

    def _next_batch(self) -> Batch:
        waiting = self._waiting
        events = size = 0
        tokens: dict[RunId, int] = {}
        for position, (write, _) in enumerate(waiting):
            events += len(write.events) + 1
            size += _bytes_of(write)
            # A batch checks one token a run: an earlier owner's writes go into a batch of their own.
            another_owner = tokens.setdefault(write.run_id, write.token) != write.token
            # A batch that takes runs locks these first: locks of other runs would come out of order.
            another_kind = type(write.takes) is not type(waiting[0][0].takes)
            if position and (
                another_owner or another_kind or events > limits.COMMIT_EVENTS or size > limits.COMMIT_BYTES
            ):
                self._waiting = waiting[position:]
                return waiting[:position]
        self._waiting = []
        return waiting


def _ends(write: RunWrite) -> bool:
    return write.transition is not None and write.transition.state >= RunState.BLOCKED


def _bytes_of(write: RunWrite) -> int:
    """Return the size of the values in a write; everything else in it is small."""
    size = 0
    for _, type, _, body in write.events:
        place = VALUE_PLACES.get(type)
        if place is not None:
            value = body[place]
            if value.__class__ is bytes:
                size += len(value)
    if write.creates is not None:
        size += len(write.creates.start.input)
    for task in write.tasks:
        size += len(task.arguments)
    if write.transition is not None:
        size += len(write.transition.result or b"")
    return size
