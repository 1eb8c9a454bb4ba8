"""`ResilientJournal`: the journal of a run host, which waits while the database is down.

Every call that may be made twice is repeated until the journal answers, also while the schema lacks what the
call needs: it may come back, and a crash of the host mends nothing. And observers receive
a report of it under the name of the method. A call here has the signature of the port, except for the
claims and the end of a worker. What must not be repeated is passed on as it is: `now`, `close`,
`notifications`, and `take_snapshot`, which is not worth waiting for.

A commit is repeated with the batch number it had, so it takes effect once (P12).

An outage that outlasts the lease does not end it: a worker that finds its lease expired renews it and
repeats the call, unless another node has ended the worker by then.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from continuum.engine.ids import RunId, WorkerId
from continuum.errors import JournalUnavailable, SchemaOutOfDate
from continuum.journal.outages import outage_in
from continuum.journal.port import (
    ClaimedRun,
    ClaimedTask,
    Committed,
    Journal,
    LeaseLost,
    Loaded,
    Released,
    RunWrite,
    Worker,
)
from continuum.journal.retry import Clock, Observer, Retry, RetryPolicy

T = TypeVar("T")
Known = TypeVar("Known")

# Soon enough for a restart of Postgres to go unnoticed, seldom enough to leave a database that
# is starting in peace. Half of a delay is random, so that not all processes return at once.
HOST_RETRIES = RetryPolicy(first_delay=0.05, longest_delay=2.0, jitter=0.5)

# A function that was lost is created again by a migration, and an older node meets a newer schema until it is
# replaced: until then its calls are made every two seconds, and the log has one line.
PASSING = (JournalUnavailable, SchemaOutOfDate)

# A claim that was given up with its connection takes effect within this time, if at all: a server that is
# slow for longer ends the connection, or the lease of the worker. Claims are made at least at every poll.
DOUBT_SECONDS = 60.0


class LostClaims:
    """Whether claims that this process has given up may have taken effect, or may still do so."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = -math.inf

    def in_doubt(self, now: float, *, failed: bool) -> bool:
        """Return whether to release what this process does not know of; `failed` if a claim was just lost."""
        if failed:
            self._until = now + DOUBT_SECONDS
        return now < self._until


class ResilientJournal:
    """A journal whose calls end with a result, or with an error that waiting cannot fix.

    `lease_ttl` is how long this process's lease lasts once it is renewed; None renews none.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        random: Callable[[], float],
        *,
        lease_ttl: float | None = None,
    ) -> None:
        self._clock = clock
        self._lease_ttl = lease_ttl
        # The journal itself, for calls that fail when it is unavailable.
        self.once = journal
        # For several calls on `once` that are repeated together.
        self.retry = retry = Retry(HOST_RETRIES, clock, random, outage_in(journal), passing=PASSING)

        self._runs, self._tasks = LostClaims(), LostClaims()
        self.now = journal.now
        self.close = journal.close
        self.notifications = journal.notifications
        self.take_snapshot = journal.take_snapshot

        self.open = retry.bind("open", "connecting", journal.open)

        self.register_worker = retry.bind("register_worker", "registering a worker", journal.register_worker)
        self.renew = retry.bind("renew", "renewing leases", journal.renew)
        self.connection_room = retry.bind("connection_room", "counting connections", journal.connection_room)
        self.expired_workers = retry.bind(
            "expired_workers", "looking for expired leases", journal.expired_workers
        )
        self.node_workers = retry.bind("node_workers", "looking for earlier workers", journal.node_workers)
        self.blame = retry.bind("blame", "blaming a death", journal.blame)
        self.acquit = retry.bind("acquit", "acquitting suspects", journal.acquit)
        self.earlier_deaths = retry.bind("earlier_deaths", "looking at suspects", journal.earlier_deaths)
        self.lone_suspects_lived = retry.bind(
            "lone_suspects_lived", "looking at suspects", journal.lone_suspects_lived
        )
        self.suspects_wait = retry.bind("suspects_wait", "looking for suspects", journal.suspects_wait)
        self.nodes = retry.bind("nodes", "looking for earlier nodes", journal.nodes)
        self.retire_node = retry.bind("retire_node", "removing a node", journal.retire_node)

        self.look = retry.bind("look", "looking for what has happened", journal.look)
        self.paused_here = retry.bind("paused_here", "looking for what is paused", journal.paused_here)
        self.next_due = retry.bind("next_due", "looking for what is due", journal.next_due)
        self.get_run = retry.bind("get_run", "looking at a run", journal.get_run)
        self.load = retry.bind("load", "loading histories", journal.load)
        self.load_compact = retry.bind("load_compact", "loading histories", journal.load_compact)
        self.ended = retry.bind("ended", "looking for ended runs", journal.ended)
        self.parked = retry.bind("parked", "reading parked runs", journal.parked)
        self._commit = retry.bind("commit", "committing", journal.commit)
        self.announce_work = retry.bind("announce_work", "announcing work", journal.announce_work)
        self.draw_tokens = retry.bind("draw_tokens", "drawing tokens", journal.draw_tokens)
        self.inbox = retry.bind("inbox", "reading the inbox", journal.inbox)
        self.release = retry.bind("release", "releasing a run", journal.release)
        self.post = retry.bind("post", "posting a result", journal.post)
        self.sweep = retry.bind("sweep", "sweeping", journal.sweep)
        self.odd_rows = retry.bind("odd_rows", "looking for odd rows", journal.odd_rows)
        self.unblock = retry.bind("unblock", "trying blocked runs again", journal.unblock)

        self.register_versions = retry.bind(
            "register_versions", "registering versions", journal.register_versions
        )
        self.versions = retry.bind("versions", "looking for pinned versions", journal.versions)
        self.version_source = retry.bind(
            "version_source", "fetching a pinned version", journal.version_source
        )

        self.complete_tasks = retry.bind("complete_tasks", "storing results of tasks", journal.complete_tasks)
        self.heartbeat = retry.bind("heartbeat", "recording a heartbeat", journal.heartbeat)
        self.last_heartbeats = retry.bind("last_heartbeats", "reading heartbeats", journal.last_heartbeats)
        self.find_result = retry.bind("find_result", "looking up an idempotency key", journal.find_result)
        self.record_result = retry.bind("record_result", "recording a result", journal.record_result)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Report every finished call to `observer`; the returned function ends that."""
        return self.retry.observe(observer)

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        """Commit as `Journal.commit` does."""
        try:
            return await self._commit(worker, batch, writes)
        except LeaseLost:
            if not await self._renewed(worker):
                raise
            return await self._commit(worker, batch, writes)

    async def retire_worker(
        self,
        worker: WorkerId,
        *,
        executing: RunId | None,
        poison_after: int,
        only_expired: bool = False,
        died_at: float | None = None,
        manner: str | None = None,
    ) -> Released:
        """End a worker as `Journal.retire_worker` does.

        `died_at` is a time of the clock, None if nobody saw it die.
        """

        async def attempt() -> Released:
            # Measured anew each time: the time of the worker's tasks ended with it, not with an outage.
            dead_for = math.inf if died_at is None else max(self._clock.monotonic() - died_at, 0.0)
            return await self.once.retire_worker(
                worker,
                executing=executing,
                poison_after=poison_after,
                only_expired=only_expired,
                dead_for=dead_for,
                manner=manner,
            )

        return await self.retry("retire_worker", "releasing what a worker owned", attempt)

    async def claim(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        known: Callable[[], Sequence[RunId]],
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        """Claim runs as `Journal.claim` does.

        An attempt whose response was lost may have claimed runs that this process does not know of, or
        may still do so. The next ones first release what this worker owns beyond `known()`.
        """
        return await self._claimed(
            worker,
            self._runs,
            self.once.release_other_runs,
            known,
            "claim",
            "claiming runs",
            lambda: self.once.claim(worker, code, limit, namespaces=namespaces),
        )

    def claims_in_doubt(self) -> bool:
        """Whether a claim that was given up may own something here: the next claim releases that."""
        now = self._clock.monotonic()
        return self._runs.in_doubt(now, failed=False) or self._tasks.in_doubt(now, failed=False)

    def doubt_claimed_runs(self) -> None:
        """Have the next claims first release what this worker owns and does not know of."""
        self._runs.in_doubt(self._clock.monotonic(), failed=True)

    def doubt_claimed_tasks(self) -> None:
        """Do with tasks as `doubt_claimed_runs` does with runs."""
        self._tasks.in_doubt(self._clock.monotonic(), failed=True)

    async def claim_suspects(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        *,
        known: Callable[[], Sequence[RunId]],
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        """Claim suspects as `Journal.claim_suspects` does; `known` is as in `claim`."""
        return await self._claimed(
            worker,
            self._runs,
            self.once.release_other_runs,
            known,
            "claim_suspects",
            "claiming suspects",
            lambda: self.once.claim_suspects(worker, code, namespaces=namespaces),
        )

    async def claim_deadly(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        known: Callable[[], Sequence[RunId]],
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        """Claim runs that are kept apart as `Journal.claim_deadly` does; `known` is as in `claim`."""
        return await self._claimed(
            worker,
            self._runs,
            self.once.release_other_runs,
            known,
            "claim_deadly",
            "claiming runs that are kept apart",
            lambda: self.once.claim_deadly(worker, code, limit, namespaces=namespaces),
        )

    async def claim_tasks(
        self,
        worker: Worker,
        activities: Sequence[str],
        *,
        isolated: bool,
        limits: Mapping[str, int],
        unlisted_limit: int,
        limit: int,
        known: Callable[[], Sequence[tuple[RunId, int]]],
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedTask]:
        """Claim tasks as `Journal.claim_tasks` does; `known` is as in `claim`."""
        return await self._claimed(
            worker,
            self._tasks,
            self.once.release_other_tasks,
            known,
            "claim_tasks",
            "claiming tasks",
            lambda: self.once.claim_tasks(
                worker,
                activities,
                isolated=isolated,
                limits=limits,
                unlisted_limit=unlisted_limit,
                limit=limit,
                namespaces=namespaces,
            ),
        )

    async def claim_suspected_tasks(
        self,
        worker: Worker,
        activities: Sequence[str],
        *,
        known: Callable[[], Sequence[tuple[RunId, int]]],
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedTask]:
        """Claim suspects as `Journal.claim_suspected_tasks` does; `known` is as in `claim`."""
        return await self._claimed(
            worker,
            self._tasks,
            self.once.release_other_tasks,
            known,
            "claim_suspected_tasks",
            "claiming suspected tasks",
            lambda: self.once.claim_suspected_tasks(worker, activities, namespaces=namespaces),
        )

    async def _claimed(
        self,
        worker: Worker,
        lost: LostClaims,
        release_others: Callable[[Worker, Known], Awaitable[object]],
        known: Callable[[], Known],
        operation: str,
        phrase: str,
        claim: Callable[[], Awaitable[list[T]]],
    ) -> list[T]:
        """Repeat a claim; while an earlier one is in doubt, release what is not known first."""
        attempted = False

        async def attempt() -> list[T]:
            nonlocal attempted
            if lost.in_doubt(self._clock.monotonic(), failed=attempted):
                await release_others(worker, known())
            attempted = True
            return await claim()

        return await self._leased(worker, lambda: self.retry(operation, phrase, attempt))

    async def _leased(self, worker: Worker, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that needs the worker's lease, again if the lease could be renewed."""
        try:
            return await call()
        except LeaseLost:
            if not await self._renewed(worker):
                raise
            return await call()

    async def _renewed(self, worker: Worker) -> bool:
        """Renew a lease that was found expired; False if the worker has been ended."""
        if self._lease_ttl is None:
            return False
        return worker.id in (await self.renew([worker.id], self._lease_ttl, None)).held
