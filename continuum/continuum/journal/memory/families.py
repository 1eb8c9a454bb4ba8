"""Related runs: children, chains of runs that continued as new, effects of an end on others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts, SeenRun
from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.journal.memory.tables import MICROSECONDS, MemoryTables, StoredRun
from continuum.journal.port import (
    ClosePolicy,
    Fault,
    InboxKind,
    NewChild,
    NewRun,
    Posted,
    RunState,
    Successor,
    Topic,
)

# A second request is a duplicate while the first is in the inbox.
_CANCEL_KEY = "cancel"
BY_PARENT = "parent"


class MemoryFamilies(MemoryTables):
    """Parents, children and successors."""

    def _create_children(self, parent: StoredRun, children: Sequence[NewChild]) -> None:
        """Create children that do not exist yet."""
        for child in children:
            if child.id not in self._runs:
                run = self._create_related(parent, child.id, child.workflow, child.input)
                run.parent, run.parent_seq = parent.start.id, child.seq
                run.close_policy = child.close_policy
                run.depth = parent.depth + 1
                # What an ending parent starts is part of its end.
                run.pause_lifted_at = parent.pause_lifted_at
                parent.children[child.id] = None
                self._make_claimable(run)

    def _create_successor(self, run: StoredRun, successor: Successor) -> None:
        """Create the successor of `run`, and move unread mail, children and the parent's wait to it."""
        successor_run = self._create_related(run, successor.id, successor.workflow, successor.input)
        successor_run.parent, successor_run.parent_seq = run.parent, run.parent_seq
        successor_run.close_policy, successor_run.depth = run.close_policy, run.depth
        successor_run.root, successor_run.continued_from = run.chain, run.start.id
        successor_run.paused, successor_run.pause_lifted_at = run.paused, run.pause_lifted_at
        run.continued_to = successor.id
        self._enter(run, RunState.CONTINUED)
        self._chains.setdefault(run.chain, [run.chain]).append(successor.id)
        if run.parent is not None and run.parent in self._runs:
            siblings = self._runs[run.parent].children
            siblings.pop(run.start.id, None)
            siblings[successor.id] = None
        for name, value in successor.signals:
            self._deliver(successor_run, InboxKind.SIGNAL, name, (value,), None)
        # Results belong to commands of the predecessor, so they do not move.
        for row in [row for row in run.inbox.values() if row.kind in (InboxKind.SIGNAL, InboxKind.CANCEL)]:
            del run.inbox[row.id]
            self._deliver(successor_run, row.kind, row.name, row.body, row.key)
        successor_run.children, run.children = run.children, {}
        for child in successor_run.children:
            self._runs[child].parent, self._runs[child].parent_seq = successor.id, None
        self._make_claimable(successor_run)

    def _create_related(self, run: StoredRun, run_id: RunId, workflow: str, input: bytes) -> StoredRun:
        start = NewRun(run_id, workflow, input, run.start.namespace, trace_context=run.start.trace_context)
        now = self.now()
        related = StoredRun(start, next(self._ages), now, now, now, dict(run.attributes))
        self._add(related)
        return related

    def _end(self, run: StoredRun, reason: str | None) -> None:
        """End a run as cancelled from outside."""
        self._release(run)
        self._drop_tasks(run)
        self._enter(run, RunState.CANCELLED)
        run.reason = reason
        run.fault = None
        run.due_at = None
        run.updated_at = run.completed_at = self.now()
        code = self._code_of(run)
        if code is not None and code.retention is not None:
            run.retain_until = run.updated_at + round(code.retention * MICROSECONDS)
        self._notifications.send(Topic.DONE, [run.start.id])

    def _end_stopped(self, runs: Iterable[StoredRun]) -> None:
        """End those that are blocked, have no history and were asked to stop."""
        ended = []
        for run in runs:
            asked = next((row for row in run.inbox.values() if row.kind is InboxKind.CANCEL), None)
            if has_nothing_to_compensate(run) and asked is not None:
                self._end(run, "parent_cancelled" if asked.name == BY_PARENT else None)
                ended.append(run)
        self._after_ends(ended)

    def _count_death(self, run: StoredRun, poison_after: int, happened: Callable[[int], str]) -> None:
        """Count a death against a run, and block it when it has caused too many: `happened` says what did."""
        run.deaths += 1
        if run.deaths >= poison_after:
            self._enter(run, RunState.BLOCKED)
            run.due_at = None
            run.reason = f"poison: {happened(run.deaths)}"
            run.fault = Fault("poison")
            self._end_stopped([run])

    def _after_ends(self, ended: Iterable[StoredRun]) -> None:
        """Report ends to parents, and ask children to stop as their close policies say."""
        generation = [run for run in ended if run.continued_to is None]
        while generation:
            self._notify_of_mail(
                [parent for run in generation if (parent := self._report_end(run)) is not None]
            )
            asked = [
                child
                for run in generation
                for child in map(self._runs.__getitem__, run.children)
                if child.close_policy is ClosePolicy.CANCEL
                or (child.close_policy is ClosePolicy.CASCADE and run.state is RunState.CANCELLED)
            ]
            generation = self._request_cancel(asked, BY_PARENT)

    def _report_end(self, run: StoredRun) -> StoredRun | None:
        """Write a run's end into its parent's inbox; return the parent if it has not ended."""
        parent = None if run.parent is None else self._runs.get(run.parent)
        if parent is None or parent.state.terminal:
            return None
        parent.children.pop(run.start.id, None)
        if run.parent_seq is None:
            return None
        self._deliver(parent, *_mail_about(run), None)
        return parent

    def _request_cancel(self, runs: Sequence[StoredRun], name: str) -> list[StoredRun]:
        """Post cancel requests. Blocked runs without a history end at once and are returned."""
        ended, mailed = [], []
        for run in runs:
            self._lift_pauses(run)
            if has_nothing_to_compensate(run):
                self._end(run, "parent_cancelled" if name == BY_PARENT else None)
                ended.append(run)
            elif not run.state.terminal and self._deliver(run, InboxKind.CANCEL, name, (), _CANCEL_KEY):
                mailed.append(run)
        self._notify_of_mail(mailed)
        return ended

    async def force_cancel(
        self, run_id: RunId, *, seen: SeenRun | None = None, audit: AuditFacts | None = None
    ) -> Posted:
        """End a run as cancelled at once, with the children that are cancelled with it; fence off owners."""
        posted = self._force_cancel(run_id, seen)
        self._record(audit, posted)
        return posted

    def _force_cancel(self, run_id: RunId, seen: SeenRun | None) -> Posted:
        run = self._latest(run_id)
        if run is None:
            return Posted.NOT_FOUND
        if run.state.terminal:
            return Posted.TERMINAL
        if seen is not None and (
            seen.run_id != run.start.id or seen.updated_at not in (None, run.updated_at)
        ):
            return Posted.STALE
        ending = [run]
        for each in ending:
            self._end(each, None if each is run else "parent_cancelled")
            self._notifications.send(Topic.LOST, [each.start.id])
            children = [self._runs[child] for child in each.children]
            ending += [
                child
                for child in children
                if not child.state.terminal and child.close_policy is not ClosePolicy.ABANDON
            ]
        self._after_ends([run])
        return Posted.ACCEPTED


def has_nothing_to_compensate(run: StoredRun) -> bool:
    """Whether a run is blocked and has no history: any other keeps a cancel request until it is unblocked."""
    return run.state is RunState.BLOCKED and not run.events


def _mail_about(run: StoredRun) -> tuple[InboxKind, str, tuple[object, ...]]:
    """Return kind, name and body of the inbox entry for a run's end."""
    name = str(run.parent_seq)
    if run.state is RunState.COMPLETED:
        return InboxKind.CHILD_COMPLETED, name, (run.result or b"",)
    if run.state is RunState.CANCELLED:
        return InboxKind.CHILD_CANCELLED, name, ()
    try:
        return InboxKind.CHILD_FAILED, name, unpack_body(run.error or b"")
    except CorruptBody:
        return InboxKind.CORRUPT, name, ()
