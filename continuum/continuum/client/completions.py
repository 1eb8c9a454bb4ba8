"""Waits for runs to end: one listener and one poll for all waiting callers of a client.

A notification that a run has ended makes the poll look for it at once; without
notifications the poll looks for each run after a second, then less and less often. One query
covers all runs that are due and returns only those that have ended. However many runs are awaited,
looks without a notification are a few in a second, and what one run costs does not grow. A wait for a
run that continues as new becomes a wait for the latest run of its chain.

A wait may begin when the run has ended and its notification is past. So the poll looks at once for a run that
this client started a while ago, or whose end it was notified of before. Otherwise it gives the notification a
moment to arrive.

A node in this process reports ends, so that a wait which follows soon needs no look. Another process may let
such a run continue: the node is notified of that, and an end that is not so recent is looked up.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from continuum.client.in_process_port import InProcessPort
from continuum.client.limits import (
    ENDS_REMEMBERED,
    FIRST_LOOK_SECONDS,
    FIRST_POLL_SECONDS,
    FIRST_POLL_WITHOUT_LISTEN_SECONDS,
    KNOWN_END_BYTES,
    KNOWN_END_SECONDS,
    LAST_POLL_SECONDS,
    LOOKS_UNTIL_DOUBT,
    POLL_GROWTH,
    POLL_GROWTH_WITHOUT_LISTEN,
    POLL_IDS,
    POLLS_PER_SECOND,
)
from continuum.client.look_times import LookTimes
from continuum.client.run_lookup import WatchedRuns, latest_of_chain
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable, NotReady, RunNotFound
from continuum.journal.ended_run import EndedRun
from continuum.journal.notification import Notification, Topic
from continuum.journal.outages import outage_in

# In the loop's time: earlier than anything that happens in it.
LONG_AGO = -math.inf

log = logging.getLogger("continuum.client")


@runtime_checkable
class _Listens(Protocol):
    listens: bool


def _hears(journal: object) -> bool:
    return not isinstance(journal, _Listens) or journal.listens


@dataclass(slots=True)
class Awaited:
    """A run that callers wait for, and how many seconds after the next look to look again.

    `doubt` counts the looks that did not find its end. At `LOOKS_UNTIL_DOUBT` the poll checks whether the run
    still exists; a notification sets it there at once, because the run may be removed right after its end.
    """

    interval: float
    doubt: int
    futures: set[asyncio.Future[EndedRun]] = field(default_factory=set)


class Completions:
    """The runs that callers wait for.

    Without notifications the first poll is after `first_poll` seconds, sooner if the journal does not listen.
    """

    def __init__(
        self, journal: WatchedRuns, *, first_poll: float | None = None, port: InProcessPort | None = None
    ) -> None:
        self._journal = journal
        self._port = port
        hears = _hears(journal)
        self._first_poll = FIRST_POLL_SECONDS if hears else FIRST_POLL_WITHOUT_LISTEN_SECONDS
        self._growth = POLL_GROWTH if hears else POLL_GROWTH_WITHOUT_LISTEN
        if first_poll is not None:
            self._first_poll = first_poll
        self._awaited: dict[RunId, Awaited] = {}
        # When to look for each of them.
        self._times = LookTimes()
        self._timer: asyncio.TimerHandle | None = None
        # How runs ended that did so in this process before anyone waited for them, oldest first, and until
        # when that counts.
        self._known_ends: dict[RunId, tuple[EndedRun, float]] = {}
        # Runs whose ends were notified before anyone waited for them, oldest first.
        self._notified: dict[str, None] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self._outage = outage_in(journal)

    async def wait(self, run_id: RunId, started: float | None = None) -> EndedRun:
        """Return how an existing run ended, or its chain's latest run, once it has.

        `started` is when this client started the run, in the loop's time; None if the run was open just now.
        """
        if self._closed:
            raise NotReady("the client is closed; open another with continuum.connect()")
        known = self._known_ends.pop(run_id, None) if self._known_ends else None
        if known is not None:
            end, until = known
            if end.continued_to is None and asyncio.get_running_loop().time() < until:
                return end
            started = LONG_AGO
        if not self._tasks:
            # Subscribe before the first look, so that no end falls between the two.
            notifications = self._journal.notifications([Topic.DONE])
            self._tasks = [
                asyncio.create_task(self._listen(notifications)),
                asyncio.create_task(self._poll()),
            ]
        while True:
            with self._waiting_for(run_id, started) as future:
                run = await future
            if run.continued_to is None:
                return run
            run_id, started = await self._later_than(run, run.continued_to), LONG_AGO

    def ended(self, run: EndedRun) -> None:
        """A run has ended in this process: who waits for it has the result, and who asks soon finds it."""
        futures = self._futures_of(run.id)
        for future in futures:
            future.set_result(run)
        if not futures and len(run.result or run.error or b"") <= KNOWN_END_BYTES:
            self._known_ends[run.id] = run, asyncio.get_running_loop().time() + KNOWN_END_SECONDS
            if len(self._known_ends) > ENDS_REMEMBERED:
                del self._known_ends[next(iter(self._known_ends))]

    def forget_ends(self, run_ids: Sequence[str]) -> None:
        """These runs, or without ids any, may continue in others though they have ended in this process."""
        if not run_ids:
            self._known_ends.clear()
        for run_id in run_ids if self._known_ends else ():
            self._known_ends.pop(RunId(run_id), None)

    async def close(self) -> None:
        """Stop; every caller that still waits gets `NotReady`."""
        self._closed = True
        self._wake_at(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fail(NotReady("the client was closed while waiting; the run continues without it"))

    async def _later_than(self, run: EndedRun, successor: RunId) -> RunId:
        """Return a later run of the chain: the latest one, or `successor` if the journal is unavailable."""
        try:
            latest = await latest_of_chain(self._journal, run.root)
        except JournalUnavailable as error:
            # The chain is followed run by run.
            self._outage.failed("looking for the latest run of a chain", error)
            return successor
        return successor if latest is None else latest.id

    @contextmanager
    def _waiting_for(self, run_id: RunId, started: float | None) -> Iterator[asyncio.Future[EndedRun]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[EndedRun] = loop.create_future()
        now = loop.time()
        if self._port is not None and self._port.is_live(run_id):
            # Its host will call `ended`; the look is for a run that leaves the host or is ended elsewhere.
            look_at, late = now + self._first_poll, False
        else:
            look_at = (now if started is None else started) + FIRST_LOOK_SECONDS
            late = look_at <= now
        if self._notified and run_id in self._notified:
            del self._notified[run_id]
            late = True
        awaited = self._awaited.get(run_id)
        if awaited is None:
            # The first look for a run that has just been started is mostly in vain, and is not for doubts.
            doubt = LOOKS_UNTIL_DOUBT if late or started is None else LOOKS_UNTIL_DOUBT - 2
            awaited = self._awaited[run_id] = Awaited(self._first_poll, doubt)
        awaited.futures.add(future)
        self._times.advance(run_id, 0.0 if late else look_at)
        if late:
            self._news.set()
        elif self._timer is None or look_at < self._timer.when():
            self._wake_at(look_at)
        try:
            yield future
        finally:
            awaited.futures.discard(future)
            if not awaited.futures and self._awaited.get(run_id) is awaited:
                self._forget(run_id)

    async def _listen(self, notifications: AsyncIterator[Notification]) -> None:
        try:
            async for notification in notifications:
                self._look_soon(notification)
        except Exception:
            # Notifications only make it faster: polling continues.
            log.exception("listening for ended runs stopped; results arrive by polling alone")

    def _look_soon(self, notification: Notification) -> None:
        for run_id in notification.ids or tuple(self._awaited):
            awaited = self._awaited.get(RunId(run_id))
            if awaited is not None:
                self._times.advance(RunId(run_id), 0.0)
                awaited.doubt = LOOKS_UNTIL_DOUBT
                self._news.set()
            else:
                self._remember(run_id)

    def _remember(self, run_id: str) -> None:
        self._notified[run_id] = None
        if len(self._notified) > ENDS_REMEMBERED:
            del self._notified[next(iter(self._notified))]

    async def _poll(self) -> None:
        while True:
            self._news.clear()
            now = asyncio.get_running_loop().time()
            due = self._times.take(now, POLL_IDS)
            if due:
                self._schedule_next(due, now)
                await self._look(due)
            else:
                self._wake_at(self._times.earliest())
                await self._news.wait()

    def _wake_at(self, at: float | None) -> None:
        """Let the poll look at this time, or with None not until there is news."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if at is None else asyncio.get_running_loop().call_at(at, self._news.set)

    def _schedule_next(self, run_ids: list[RunId], now: float) -> None:
        rarest = len(self._awaited) / (POLL_IDS * POLLS_PER_SECOND)
        for run_id in run_ids:
            awaited = self._awaited[run_id]
            interval = max(awaited.interval, rarest)
            # Runs whose times are near each other are looked for together.
            together = min(interval, LAST_POLL_SECONDS) / 2
            self._times.set(run_id, (now + interval) // together * together)
            awaited.doubt += 1
            awaited.interval = max(self._first_poll, min(awaited.interval * self._growth, LAST_POLL_SECONDS))

    async def _look(self, run_ids: list[RunId]) -> None:
        doubted = [run_id for run_id in run_ids if self._awaited[run_id].doubt >= LOOKS_UNTIL_DOUBT]
        self._set_doubt(doubted, 0)
        try:
            ended = await self._journal.ended(run_ids)
            unknown = set(doubted) - {run.id for run in ended}
            gone = await self._journal.missing(sorted(unknown)) if unknown else []
        except JournalUnavailable as error:
            self._outage.failed("looking for ended runs", error)
            self._set_doubt(doubted, LOOKS_UNTIL_DOUBT)
            return
        except Exception as error:  # noqa: BLE001 - every waiting caller receives it
            self._fail(error)
            return
        self._outage.answered()
        for run in ended:
            for future in self._futures_of(run.id):
                future.set_result(run)
        # A run may be removed as soon as it has ended.
        for run_id in gone:
            for future in self._futures_of(run_id):
                future.set_exception(RunNotFound(run_id, removed=True))

    def _futures_of(self, run_id: RunId) -> list[asyncio.Future[EndedRun]]:
        """Forget a run, and return the futures that still wait for it."""
        awaited = self._forget(run_id)
        return [] if awaited is None else [future for future in awaited.futures if not future.done()]

    def _forget(self, run_id: RunId) -> Awaited | None:
        self._times.forget(run_id)
        return self._awaited.pop(run_id, None)

    def _set_doubt(self, run_ids: list[RunId], doubt: int) -> None:
        for run_id in run_ids:
            if (awaited := self._awaited.get(run_id)) is not None:
                awaited.doubt = doubt

    def _fail(self, error: Exception) -> None:
        for awaited in self._awaited.values():
            for future in awaited.futures:
                if not future.done():
                    future.set_exception(error)
        self._awaited.clear()
        self._times.clear()
