"""Runs that begin with the events of another."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.journal.announced_run import NewRun
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.forked_run import ForkedRun, StoredFork
from continuum.journal.memory.families import BY_PARENT, MemoryFamilies
from continuum.journal.memory.tables import ForkRow, StoredRun
from continuum.journal.port import ClosePolicy, InboxKind, InboxRow, Posted, Topic


class MemoryForks(MemoryFamilies):
    """Creates runs that begin with the events of another."""

    async def fork_run(self, run: ForkedRun, *, audit: AuditFacts | None = None) -> Posted:
        """Create the run, unless the other is no longer as it was seen."""
        origin = self._runs.get(run.origin)
        if run.id in self._runs:
            self._record(audit, ChangeOutcome.DONE)
            return Posted.DUPLICATE
        if origin is None:
            self._record(audit, Posted.NOT_FOUND)
            return Posted.NOT_FOUND
        if not self._is_as_seen(origin, run):
            self._record(audit, Posted.STALE)
            return Posted.STALE
        unread = [row for row in origin.inbox.values() if _is_kept(row, run, origin)]
        # A person has paused the chain.
        pause = origin.paused if run.succeeds and not origin.state.terminal else None
        asked = any(row.kind is InboxKind.CANCEL for row in unread)
        stopped = self._end_for_successor(origin) if run.succeeds else []
        forked = self._create_fork(origin, run)
        forked.paused = pause
        # The request to stop has lifted pauses.
        forked.pause_lifted_at = origin.pause_lifted_at if asked else None
        for mail in run.mail:
            self._deliver(forked, mail.kind, mail.name, mail.body, mail.key)
        for row in unread:
            self._deliver(forked, row.kind, row.name, row.body, row.key)
        if run.succeeds:
            self._succeed(origin, forked)
            self._after_ends(self._request_cancel(stopped, BY_PARENT))
            self._notifications.send(Topic.DONE, [origin.start.id])
            self._notifications.send(Topic.LOST, [origin.start.id])
        else:
            self._copy_chain(origin, run)
        if audit is not None and (seen := self._audit.get(audit.id)) is not None and seen.outcome == "stale":
            # The caller has planned anew: its request has one row.
            del self._audit[audit.id]
        self._record(audit, ChangeOutcome.DONE)
        self._make_claimable(forked)
        self._notifications.send(Topic.WORK)
        return Posted.ACCEPTED

    async def forks_of(self, roots: Sequence[RunId]) -> list[StoredFork]:
        """Return the forks that come from the same chains as these chains do."""
        families = {*roots, *(self._forks[root].family for root in roots if root in self._forks)}
        return [row.stored for row in self._forks.values() if row.family in families]

    def _is_as_seen(self, origin: StoredRun, run: ForkedRun) -> bool:
        children = [self._runs[child] for child in run.children if child in self._runs]
        state, seen = origin.state, run.seen.state
        return (
            origin.length == run.seen.events
            and (state == seen or not (state.terminal or seen.terminal))
            and not (run.succeeds and origin.continued_to is not None)
            and (not run.succeeds or self._is_parent_as_seen(origin, run))
            and all(child.state.terminal and child.continued_to is None for child in children)
            and not any(self._compensates_after(*relative) for relative in run.relatives)
        )

    def _compensates_after(self, run_id: RunId, events: int) -> bool:
        run = self._runs.get(run_id)
        later = [] if run is None else run.events[events:]
        return any(event.type == EventType.COMPENSATION_SCHEDULED for event in later)

    def _is_parent_as_seen(self, origin: StoredRun, run: ForkedRun) -> bool:
        """Whether the parent of an ended run has continued as it was seen."""
        if not origin.state.terminal or origin.parent is None:
            return True
        parent = self._runs.get(origin.parent)
        return (None if parent is None else parent.continued_to) == run.seen.parent_next

    def _end_for_successor(self, origin: StoredRun) -> list[StoredRun]:
        """End an open run as cancelled, and return the children that are stopped with it."""
        if origin.state.terminal:
            return []
        children = [self._runs[child] for child in origin.children]
        self._end(origin, None)
        origin.token = next(self._tokens)
        stopped = [
            child
            for child in children
            if not child.state.terminal and child.close_policy is not ClosePolicy.ABANDON
        ]
        return sorted(stopped, key=lambda child: (child.depth, child.start.id))

    def _create_fork(self, origin: StoredRun, run: ForkedRun) -> StoredRun:
        start = origin.start
        now = self.now()
        forked = StoredRun(
            NewRun(run.id, start.workflow, start.input, start.namespace, trace_context=start.trace_context),
            next(self._ages),
            origin.started_at,
            now,
            now,
            dict(origin.attributes),
            version=run.version,
            token=next(self._tokens),
            attempt=max(origin.attempt, 1),
            events=[*run.prefix, run.forked],
        )
        self._add(forked)
        return forked

    def _succeed(self, origin: StoredRun, forked: StoredRun) -> None:
        """Make a run the next one of a chain."""
        origin.inbox.clear()
        origin.updated_at = self.now()
        origin.continued_to = forked.start.id
        forked.parent, forked.parent_seq = origin.parent, origin.parent_seq
        forked.close_policy, forked.depth = origin.close_policy, origin.depth
        forked.root, forked.continued_from = origin.chain, origin.start.id
        self._chains.setdefault(origin.chain, [origin.chain]).append(forked.start.id)
        if origin.parent is not None and origin.parent in self._runs:
            siblings = self._runs[origin.parent].children
            siblings.pop(origin.start.id, None)
            siblings[forked.start.id] = None

    def _copy_chain(self, origin: StoredRun, run: ForkedRun) -> None:
        """Give a run of its own what belongs to chains: delivery ids and published values."""
        self._deliveries |= {
            (run.id, name, delivery) for root, name, delivery in self._deliveries if root == origin.chain
        }
        published = self._published.get(origin.chain, {})
        kept = {name: value for name, value in published.items() if name in run.published}
        if kept:
            self._published[run.id].update(kept)
        known = self._forks.get(origin.chain)
        family = origin.chain if known is None else known.family
        stored = StoredFork(run.id, run.origin, origin.chain, len(run.prefix), is_lost=False)
        self._forks[run.id] = ForkRow(stored, family, self.now())


def _is_kept(row: InboxRow, run: ForkedRun, origin: StoredRun) -> bool:
    """Whether the new run gets what the other has not read."""
    match row.kind:
        case InboxKind.SIGNAL:
            return run.keeps_signals
        case InboxKind.CANCEL:
            return run.succeeds and not origin.state.terminal
        case InboxKind.ACTIVITY_COMPLETED:
            # A result that is stored is not lost: the call need not run again.
            return int(row.name) < len(run.prefix)
        case _:
            return False
