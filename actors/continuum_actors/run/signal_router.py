"""The signal router: receives notifications, and sends mail to the run actors.

One LISTEN connection serves the process: notifications about mail are handled here, those
about claimable runs and tasks are passed to the actors that claim. A notification may be
lost; a poll bounds what that costs. The rows themselves are read from the inbox, and leave it
only with the owner's write that turns them into history (I5).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import assert_never

from continuum.engine.ids import RunId
from continuum.journal.announcement import read_announcement
from continuum.journal.port import InboxRow, Topic
from continuum.journal.resumed_run import read_woken
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LeasedActor
from continuum_actors.host.messages import LookForMail, Mail, Notified, ToSignalRouter
from continuum_actors.run.lost_runs import LostRuns

# What a host acts on.
HOST_TOPICS = (Topic.WAKE, Topic.WORK, Topic.TASKS, Topic.LOST, Topic.STARTED, Topic.PAUSED, Topic.WATCHED)


class SignalRouter(LeasedActor):
    """Carries inbox rows to the runs that are live here."""

    def __init__(self, host: Host) -> None:
        self._host = host
        # The number of the latest fetch that has begun; runs use it to know which rows are new.
        self.fetch_number = 0
        # In the order in which their notifications came.
        self._dirty: dict[RunId, None] = {}
        self._all_dirty = False
        self._wanted = asyncio.Event()
        self._lost = LostRuns(host)

    def init(self) -> None:
        predecessor, self._host.router = self._host.router, self
        if isinstance(predecessor, SignalRouter):
            # It may have died with notifications in hand: look at everything they could be about.
            self.fetch_number = predecessor.fetch_number
            self._look(None)
            self._host.dispatcher.look()
            self._host.tasks.look_for_work()
        self.start_loop(self._listen())
        self.start_loop(self._fetch_for_ever())
        self.start_loop(self._lost.stop_for_ever())

    def look(self, run_ids: Sequence[RunId] | None) -> None:
        """Fetch the mail of these runs, or of all."""
        self.ref.cast(LookForMail(None if run_ids is None else tuple(run_ids)))

    def notified(self, topic: Topic, ids: Sequence[str]) -> None:
        """Act on a notification, from the database or from another node."""
        self.ref.cast(Notified(topic, tuple(ids)))

    def handle_cast(self, message: ToSignalRouter) -> None:
        """There is mail, or something else that may have changed."""
        match message:
            case LookForMail(run_ids):
                self._look(run_ids)
            case Notified(topic, ids):
                self._notified(topic, ids)
            case never:
                assert_never(never)

    def _look(self, run_ids: Sequence[RunId] | None) -> None:
        if run_ids is None:
            self._all_dirty = True
        else:
            # However many they are: a query for all runs would read again what is on its way already.
            self._dirty.update(dict.fromkeys(run_ids))
        self._wanted.set()

    def _notified(self, topic: Topic, ids: Sequence[str]) -> None:
        host = self._host
        if topic is Topic.WORK:
            host.dispatcher.look()
        elif topic is Topic.TASKS:
            host.tasks.look_for_work()
        elif topic is Topic.STARTED:
            for text in ids:
                self._act_on(text)
        elif topic is Topic.PAUSED:
            host.pauses.look()
        elif topic is Topic.WATCHED:
            if host.node in ids:
                host.looked_at()
        elif topic is Topic.LOST:
            # Without ids nothing can be looked for: the fence refuses the next write of such a run.
            self._lost.named(self._live(ids))
            if host.port is not None:
                host.port.lost(ids)
        elif not ids:
            self._look(None)
        else:
            here = self._live(ids)
            if here:
                self._look(here)

    def _live(self, ids: Sequence[str]) -> list[RunId]:
        """Return those of these runs that are live here."""
        return [RunId(run_id) for run_id in ids if self._host.registry.whereis(run_id) is not None]

    def _act_on(self, text: str) -> None:
        """Act on an announcement to this process alone."""
        dispatcher = self._host.dispatcher
        announced = read_announcement(text)
        if announced is not None:
            dispatcher.begin(announced)
        elif (run_id := read_woken(text)) is not None:
            dispatcher.resume(run_id)
        else:
            dispatcher.look()

    async def _listen(self) -> None:
        async for notification in self._host.journal.notifications(HOST_TOPICS, channel=self._host.channel):
            self.notified(notification.topic, notification.ids)

    async def _fetch_for_ever(self) -> None:
        host = self._host
        while True:
            try:
                # Not wait_for: before Python 3.12 it may swallow a cancellation.
                async with asyncio.timeout(host.settings.poll_seconds * (0.75 + host.random_fraction() / 2)):
                    await self._wanted.wait()
            except TimeoutError:
                self._all_dirty = True
            self._wanted.clear()
            while self._all_dirty or self._dirty:
                await host.writer.caught_up()
                named = self._next_named()
                self.fetch_number += 1
                rows = await host.journal.inbox(host.registered_worker(), named)
                if rows:
                    self._deliver(rows)

    def _next_named(self) -> list[RunId] | None:
        """Return the runs to fetch mail for next; None for all, which makes their names superfluous."""
        if self._all_dirty:
            self._all_dirty = False
            self._dirty.clear()
            return None
        # Few at a time, so that a burst is delivered while its rest is being read.
        named = list(islice(self._dirty, limits.WOKEN_PER_TURN))
        for run_id in named:
            del self._dirty[run_id]
        return named

    def _deliver(self, rows: Sequence[InboxRow]) -> None:
        by_run: defaultdict[RunId, list[InboxRow]] = defaultdict(list)
        for row in rows:
            by_run[row.run_id].append(row)
        # The others are read again when it is their turn.
        self._dirty.update(dict.fromkeys(islice(by_run, limits.WOKEN_PER_TURN, None)))
        for run_id, mail in islice(by_run.items(), limits.WOKEN_PER_TURN):
            # The dispatcher has the mail of a run fetched that it is just starting.
            run = self._host.registry.whereis(run_id)
            if run is not None:
                run.cast(Mail(self.fetch_number, tuple(mail)))
