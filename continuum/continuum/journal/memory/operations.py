"""Operations: changes of many runs, part after part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import Action, AuditFacts, ChangeOutcome
from continuum.journal.event_codec import unpack_body
from continuum.journal.facts import Query
from continuum.journal.forked_run import ForkedRun
from continuum.journal.memory.claims import MemoryClaims
from continuum.journal.memory.forked_runs import MemoryForks
from continuum.journal.memory.operation_reasons import MemoryReasons
from continuum.journal.memory.pauses import MemoryPauses
from continuum.journal.memory.queries import MemoryQueries, holds
from continuum.journal.memory.retention import MemoryRetention
from continuum.journal.memory.tables import MICROSECONDS, OUTCOMES, StoredOperation, StoredRun
from continuum.journal.operation_facts import (
    EXAMPLES,
    Chosen,
    CountedChange,
    Execution,
    NewOperation,
    OperationRow,
    OperationState,
    Part,
    RunCount,
)
from continuum.journal.operation_reasons import Reason, Why, with_reason
from continuum.journal.pause_facts import StoredPause
from continuum.journal.port import InboxKind, Post, Posted, RunState

_ENDED = (OperationState.CANCELLED, OperationState.COMPLETED)


class MemoryOperations(
    MemoryPauses, MemoryRetention, MemoryQueries, MemoryReasons, MemoryClaims, MemoryForks
):
    """The table of operations, and what they do to runs."""

    async def begin_operation(self, operation: NewOperation, *, audit: AuditFacts | None = None) -> bool:
        """Write an operation down; False if one with its id exists."""
        new = operation.id not in self._operations
        self._record(audit, ChangeOutcome.DONE if new else ChangeOutcome.ALREADY)
        if new:
            self._operations[operation.id] = StoredOperation(operation, self.now(), self.now())
        return new

    async def lease_operation(self, operation: str, ttl: float) -> int | None:
        """Take the lease of an operation, and return its token."""
        stored = self._operations.get(operation)
        if stored is None or stored.state is not OperationState.RUNNING or stored.leased_until > self.now():
            return None
        stored.token += 1
        stored.updated_at = self.now()
        stored.leased_until = self.now() + round(ttl * MICROSECONDS)
        return stored.token

    async def renew_operation(self, execution: Execution, ttl: float) -> str | None:
        """Keep the lease, and return the state."""
        stored = self._operations.get(execution.operation)
        if stored is None or stored.token != execution.token:
            return None
        stored.leased_until = self.now() + round(ttl * MICROSECONDS)
        return stored.state

    async def execute_part(self, execution: Execution, *, limit: int, look: int, ttl: float) -> Part | None:
        """Change up to `limit` of the next runs."""
        stored = self._in_progress(execution)
        if stored is None:
            return None
        chosen, reached = self._next(stored, execution, limit, look)
        runs = [run for run, _ in chosen]
        outcomes = _ACTIONS[stored.operation.action](self, runs, stored.operation)
        for run, outcome in zip(runs, outcomes, strict=True):
            self._count(stored, run.start.id, outcome, {})
        return self._reach(stored, reached, len(chosen), ttl)

    async def choose(self, execution: Execution, *, limit: int, look: int) -> Chosen | None:
        """Return up to `limit` of the next runs."""
        stored = self._in_progress(execution)
        if stored is None:
            return None
        chosen, reached = self._next(stored, execution, limit, look)
        return Chosen([(run.start.id, place) for run, place in chosen], reached)

    async def fork_found(
        self, execution: Execution, place: RunId, run: ForkedRun, *, ttl: float
    ) -> Part | None:
        """Create a run from the events of the next one, and pass that."""
        stored = self._in_progress(execution)
        if stored is None or stored.reached >= place:
            return None
        posted = await self.fork_run(run)
        if posted is Posted.STALE:
            return self._reach(stored, RunId(stored.reached), 0, ttl)
        outcome = ChangeOutcome.DONE if posted is Posted.DUPLICATE else OUTCOMES[posted]
        self._count(stored, run.origin, outcome, {"new_run": run.id, "at": run.forked.seq})
        return self._reach(stored, place, 1, ttl)

    async def refuse_found(
        self,
        execution: Execution,
        place: RunId,
        run_id: RunId,
        outcome: ChangeOutcome,
        why: str,
        *,
        ttl: float,
    ) -> Part | None:
        """Pass the next run, to which nothing is done, and record why."""
        stored = self._in_progress(execution)
        if stored is None or stored.reached >= place:
            return None
        self._count(stored, run_id, outcome, {"why": why})
        return self._reach(stored, place, 1, ttl)

    async def pass_to(self, execution: Execution, reached: RunId | None, *, ttl: float) -> Part | None:
        """Pass what was looked at up to a place."""
        stored = self._in_progress(execution)
        return None if stored is None else self._reach(stored, reached, 0, ttl)

    def _in_progress(self, execution: Execution) -> StoredOperation | None:
        stored = self._operations.get(execution.operation)
        lost = stored is None or stored.token != execution.token or stored.state is not OperationState.RUNNING
        return None if lost else stored

    def _next(
        self, stored: StoredOperation, execution: Execution, limit: int, look: int
    ) -> tuple[list[tuple[StoredRun, RunId]], RunId | None]:
        """Return the next runs with their places, and the place that is reached with them."""
        behind = sorted(run_id for run_id in self._runs if run_id > stored.reached)[:look]
        # The latest run of each chain, in the place of its first one: that one stays where it is.
        places = [
            (first, latest)
            for first in map(self._runs.__getitem__, behind)
            if first.chain == first.start.id
            and self._began(first) <= execution.until
            and (latest := self._latest(first.start.id)) is not None
            and any(
                all(holds(self._row(run), *condition) for condition in execution.where)
                for run in (first, latest)
            )
        ][:limit]
        chosen = [(latest, first.start.id) for first, latest in places]
        if len(chosen) == limit:
            return chosen, chosen[-1][1]
        return chosen, behind[-1] if len(behind) == look else None

    def _began(self, run: StoredRun) -> int:
        """Return when a run came to be: a fork has the time of its origin's start."""
        made = self._forks.get(run.start.id)
        return run.started_at if made is None else max(run.started_at, made.made_at)

    def _count(
        self, stored: StoredOperation, run_id: RunId, outcome: ChangeOutcome, facts: dict[str, Any]
    ) -> None:
        about, operation = _facts_about(run_id, stored.operation), stored.operation
        if outcome is ChangeOutcome.DONE:
            stored.done += 1
        else:
            stored.skipped += 1
            known = self._why_unchanged(operation.action, operation.arguments, run_id)
            why = str(facts.get("why") or known or Why.CHANGING)
            facts = {**facts, "why": why}
            stored.reasons = with_reason(stored.reasons, "skipped", why, run_id)
        self._record(about._replace(arguments={**about.arguments, **facts}), outcome)

    def _reach(self, stored: StoredOperation, reached: RunId | None, runs: int, ttl: float) -> Part:
        if reached is None:
            stored.state = OperationState.COMPLETED
        else:
            stored.reached = reached
        stored.leased_until = self.now() + (0 if reached is None else round(ttl * MICROSECONDS))
        stored.updated_at = self.now()
        return Part(stored.state, stored.done, stored.skipped, stored.failed, runs)

    async def change_operation(
        self, operation: str, state: OperationState, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        """Pause, continue or cancel an operation."""
        stored = self._operations.get(operation)
        outcome = ChangeOutcome.DONE
        if stored is None:
            outcome = ChangeOutcome.NOT_FOUND
        elif stored.state is state:
            outcome = ChangeOutcome.ALREADY
        elif stored.state in _ENDED:
            outcome = ChangeOutcome.REFUSED
        else:
            stored.state, stored.updated_at = state, self.now()
        self._record(audit, outcome)
        return outcome

    async def set_operation_rate(
        self, operation: str, rate: float, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        """Give an operation that nobody executes another rate."""
        stored = self._operations.get(operation)
        outcome = ChangeOutcome.DONE
        if stored is None:
            outcome = ChangeOutcome.NOT_FOUND
        elif stored.state in _ENDED or stored.leased_until > self.now():
            outcome = ChangeOutcome.REFUSED
        elif stored.operation.rate == rate:
            outcome = ChangeOutcome.ALREADY
        else:
            stored.operation, stored.updated_at = stored.operation._replace(rate=rate), self.now()
        self._record(audit, outcome)
        return outcome

    async def operation(self, operation: str) -> OperationRow | None:
        """Return an operation."""
        stored = self._operations.get(operation)
        return None if stored is None else self._operation_row(stored)

    async def operations(self, limit: int, before: tuple[int, str] | None = None) -> list[OperationRow]:
        """Return operations, the latest first."""
        found = sorted(self._operations.values(), key=_place, reverse=True)
        return [self._operation_row(each) for each in found if before is None or _place(each) < before][
            :limit
        ]

    async def count(self, query: Query, most: int, change: CountedChange | None = None) -> RunCount:
        """Return how many runs meet the conditions of a query, and which of them a change would skip."""
        found = sorted(
            run_id
            for run_id, run in self._runs.items()
            if query.namespace in (None, run.start.namespace)
            and all(holds(self._row(run), *condition) for condition in query.where)
        )
        reasons: Sequence[Reason] = ()
        for run_id in found[:most]:
            why = None if change is None else self._why_unchanged(change.action, change.arguments, run_id)
            if why is not None:
                reasons = with_reason(reasons, "skipped", why, run_id)
        first = tuple(found[:EXAMPLES])
        return RunCount(self.now(), min(len(found), most), len(found) > most, None, first, tuple(reasons))

    def _operation_row(self, stored: StoredOperation) -> OperationRow:
        facts = stored.operation._asdict()
        del facts["payload"]
        return OperationRow(
            **facts,
            state=stored.state,
            done=stored.done,
            skipped=stored.skipped,
            failed=stored.failed,
            held=stored.leased_until > self.now(),
            created_at=stored.created_at,
            updated_at=stored.updated_at,
            reasons=tuple(stored.reasons),
        )

    def _operate_cancel(self, runs: Sequence[StoredRun], operation: NewOperation) -> list[ChangeOutcome]:
        return self._post_to(runs, InboxKind.CANCEL, "cancel", operation, "cancel")

    def _operate_signal(self, runs: Sequence[StoredRun], operation: NewOperation) -> list[ChangeOutcome]:
        name = operation.arguments["signal"]
        takers = [run for run in runs if self._declares(run, name)]
        posted = dict(
            zip(
                (run.start.id for run in takers),
                self._post_to(takers, InboxKind.SIGNAL, name, operation, None),
                strict=True,
            )
        )
        return [posted.get(run.start.id, ChangeOutcome.REFUSED) for run in runs]

    def _post_to(
        self, runs: Sequence[StoredRun], kind: InboxKind, name: str, operation: NewOperation, key: str | None
    ) -> list[ChangeOutcome]:
        mailed: dict[RunId, StoredRun] = {}
        body = unpack_body(operation.payload or b"")
        outcomes = [self._post(Post(run.start.id, kind, name, body, key), mailed) for run in runs]
        self._notify_of_mail(mailed.values())
        return [OUTCOMES[outcome] for outcome in outcomes]

    def _operate_unblock(self, runs: Sequence[StoredRun], _operation: NewOperation) -> list[ChangeOutcome]:
        blocked = [run for run in runs if run.state is RunState.BLOCKED]
        self._unblock(blocked, None)
        return [ChangeOutcome.DONE if run in blocked else ChangeOutcome.ALREADY for run in runs]

    def _operate_pause(self, runs: Sequence[StoredRun], operation: NewOperation) -> list[ChangeOutcome]:
        pause = StoredPause(None, self.now(), operation.actor, operation.reason)
        return [OUTCOMES[self._pause(self._latest(run.start.id), pause, None)] for run in runs]

    def _operate_resume(self, runs: Sequence[StoredRun], _operation: NewOperation) -> list[ChangeOutcome]:
        return [OUTCOMES[self._resume_paused(self._latest(run.start.id))] for run in runs]

    def _operate_attributes(self, runs: Sequence[StoredRun], operation: NewOperation) -> list[ChangeOutcome]:
        for run in runs:
            self._merge(run, operation.arguments["attributes"])
        return [ChangeOutcome.DONE for _ in runs]

    def _operate_delete(self, runs: Sequence[StoredRun], _operation: NewOperation) -> list[ChangeOutcome]:
        return [ChangeOutcome.DONE if self._remove_ended(run) else ChangeOutcome.REFUSED for run in runs]


_ACTIONS: dict[str, Callable[[MemoryOperations, Sequence[StoredRun], NewOperation], list[ChangeOutcome]]] = {
    "cancel": MemoryOperations._operate_cancel,
    "signal": MemoryOperations._operate_signal,
    "pause": MemoryOperations._operate_pause,
    "resume": MemoryOperations._operate_resume,
    "unblock": MemoryOperations._operate_unblock,
    "attributes": MemoryOperations._operate_attributes,
    "delete": MemoryOperations._operate_delete,
}


def _place(stored: StoredOperation) -> tuple[int, str]:
    return stored.created_at, stored.operation.id


def _facts_about(run_id: RunId, operation: NewOperation) -> AuditFacts:
    """Return what is recorded of the change of one run; its id is the same at each repetition."""
    digest = hashlib.md5(f"{operation.id}{run_id}".encode(), usedforsecurity=False).digest()
    return AuditFacts(
        str(UUID(bytes=digest)),
        operation.actor,
        operation.via,
        Action(operation.arguments["recorded_as"]),
        run_id,
        {"operation": operation.id},
        operation.reason,
    )
