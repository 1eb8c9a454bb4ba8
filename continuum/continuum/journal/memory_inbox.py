"""Inboxes: what anyone has for a run, until its owner turns it into history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from continuum.engine.ids import RunId
from continuum.journal.memory_tables import MemoryTables
from continuum.journal.port import InboxKind, InboxRow, Notification, Post, Posted, RunState, Topic, Worker


class MemoryInbox(MemoryTables):
    """Mail, and the hints about it."""

    async def inbox(self, worker: Worker, run_ids: Sequence[RunId] | None) -> list[InboxRow]:
        """Return inbox rows of the runs this worker owns, oldest first; None means all its runs."""
        holder = self._workers.get(worker.id)
        if holder is None:
            return []
        owned = holder.runs if run_ids is None else [id for id in run_ids if id in holder.runs]
        return sorted(row for id in owned for row in self._runs[id].inbox.values())

    async def post(self, posts: Sequence[Post]) -> list[Posted]:
        """Put things into inboxes."""
        answers = [self._post(post) for post in posts]
        accepted = {
            post.run_id: self._runs[post.run_id]
            for post, answer in zip(posts, answers, strict=True)
            if answer is Posted.ACCEPTED
        }
        self._tell_of_mail(accepted.values())
        return answers

    def _post(self, post: Post) -> Posted:
        run = self._runs.get(post.run_id)
        if run is None:
            return Posted.NOT_FOUND
        delivery = None
        if post.kind is InboxKind.SIGNAL and post.key is not None:
            # A delivery id outlives its row: the sender may ask again long after it was consumed.
            delivery = (post.run_id, post.name, post.key)
            if delivery in self._deliveries:
                return Posted.DUPLICATE
        if run.state.terminal:
            return Posted.TERMINAL
        if run.state is RunState.BLOCKED and post.kind is InboxKind.CANCEL:
            # Its code cannot run, so there is nothing to cancel in it: it ends here.
            run.state = RunState.CANCELLED
            run.reason = None
            run.updated_at = run.completed_at = self.now()
            self._hints.tell(Topic.DONE, [post.run_id])
            return Posted.ACCEPTED
        if not self._deliver(run, post.kind, post.name, post.body, post.key):
            return Posted.DUPLICATE
        if delivery is not None:
            self._deliveries.add(delivery)
        return Posted.ACCEPTED

    def notifications(self, topics: Sequence[Topic]) -> AsyncIterator[Notification]:
        """Yield notifications until the journal is closed."""
        return self._hints.listen(topics)
