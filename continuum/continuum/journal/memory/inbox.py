"""Inboxes: entries that any process posts, until the run's owner consumes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.journal.memory.families import MemoryFamilies, has_nothing_to_compensate
from continuum.journal.memory.tables import StoredRun
from continuum.journal.port import InboxKind, InboxRow, Notification, Post, Posted, Topic, Worker


class MemoryInbox(MemoryFamilies):
    """Inbox entries, and notifications."""

    async def inbox(self, worker: Worker, run_ids: Sequence[RunId] | None) -> list[InboxRow]:
        """Return inbox rows of the runs this worker owns, oldest first; None means all its runs."""
        holder = self._workers.get(worker.id)
        if holder is None:
            return []
        owned = holder.runs if run_ids is None else [id for id in run_ids if id in holder.runs]
        return sorted(row for id in owned for row in self._runs[id].inbox.values())

    async def post(self, posts: Sequence[Post]) -> list[Posted]:
        """Write inbox entries."""
        mailed: dict[RunId, StoredRun] = {}
        outcomes = [self._post(post, mailed) for post in posts]
        for post, outcome in zip(posts, outcomes, strict=True):
            self._record(post.audit, outcome)
        self._notify_of_mail(mailed.values())
        return outcomes

    def _post(self, post: Post, mailed: dict[RunId, StoredRun]) -> Posted:
        follows = post.kind in (InboxKind.SIGNAL, InboxKind.CANCEL)
        run = self._latest(post.run_id) if follows else self._runs.get(post.run_id)
        if run is None:
            return Posted.NOT_FOUND
        delivery = None
        if post.kind is InboxKind.SIGNAL and post.key is not None:
            # A delivery id outlives its row: the sender may repeat the post long after it was consumed.
            delivery = (run.chain, post.name, post.key)
            if delivery in self._deliveries or (post.attempt > 1 and self._has_received(run, post)):
                return Posted.DUPLICATE
        if run.state.terminal:
            return Posted.TERMINAL
        # Asked again, a run that was paused since continues.
        lifted = post.kind is InboxKind.CANCEL and self._pause_of(run) is not None
        if post.kind is InboxKind.CANCEL:
            self._lift_pauses(run)
        if post.kind is InboxKind.CANCEL and has_nothing_to_compensate(run):
            self._after_ends(self._request_cancel([run], post.name))
            return Posted.ACCEPTED
        if not self._deliver(run, post.kind, post.name, post.body, post.key) and not lifted:
            return Posted.DUPLICATE
        if delivery is not None and post.attempt != 1:
            self._deliveries.add(delivery)
        mailed[run.start.id] = run
        return Posted.ACCEPTED

    def _has_received(self, latest: StoredRun, post: Post) -> bool:
        """Whether a run of the chain has a signal with this key in its inbox or in its history."""
        chain = [run for run in self._runs.values() if run.chain == latest.chain]
        return any(
            row.kind is InboxKind.SIGNAL and (row.name, row.key) == (post.name, post.key)
            for run in chain
            for row in run.inbox.values()
        ) or any(
            event.type == EventType.SIGNAL_RECEIVED and event.body[::2] == (post.name, post.key)
            for run in chain
            for event in run.events
        )

    def notifications(
        self, topics: Sequence[Topic], *, channel: str | None = None
    ) -> AsyncIterator[Notification]:
        """Yield notifications until the journal is closed."""
        return self._notifications.listen(topics, channel)
