"""Repairs of the memory journal: each call looks, mends, looks again and records without a break."""

from __future__ import annotations

from copy import deepcopy
from itertools import count
from typing import Any

from continuum.engine.events import FIRST_MOMENT, LAST_MOMENT
from continuum.engine.ids import RunId, WorkerId
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.limits import POISON_AFTER_DEATHS, SHORTENED_LEASE_SECONDS
from continuum.journal.memory.due_runs import DueRuns
from continuum.journal.memory.families import BY_PARENT
from continuum.journal.memory.inbox import MemoryInbox
from continuum.journal.memory.stored_facts import MemoryFacts
from continuum.journal.memory.suspects import MemorySuspects
from continuum.journal.memory.tables import MICROSECONDS, StoredRun
from continuum.journal.memory.workers import MemoryWorkers
from continuum.journal.mend import Mend, MendKind
from continuum.journal.port import InboxKind, RunState, Topic
from continuum.journal.repair_port import Damaged, DamageFacts, Decide, NotMended
from continuum.journal.suspect_port import UNEXPLAINED


class MemoryRepairs(MemoryInbox, MemoryWorkers, MemorySuspects):
    """Repairs of what is stored."""

    async def damage_facts(self, damaged: Damaged) -> DamageFacts:
        """Return what is stored at this moment."""
        facts = MemoryFacts(self)
        cluster = facts.cluster_now()
        cluster.duplicate_keys = [each for each in cluster.duplicate_keys if damaged in each.runs]
        cluster.orphans = [each for each in cluster.orphans if each[1] == damaged]
        runs = facts.runs_now([RunId(damaged)]) if isinstance(damaged, str) else []
        return DamageFacts(cluster, runs[0] if runs else None)

    async def repair(
        self, damaged: Damaged, decide: Decide, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        """Do what `decide` says, and record its outcome."""
        outcome, mends = decide(await self.damage_facts(damaged))
        before = deepcopy(self._tables()) if mends else {}
        for mend in mends:
            if isinstance(damaged, str):
                self._mend_run(RunId(damaged), mend)
            else:
                await self._mend_worker(WorkerId(damaged), mend)
        if mends and decide(await self.damage_facts(damaged)).outcome is not ChangeOutcome.ALREADY:
            vars(self).update(before)
            raise NotMended(damaged)
        self._record(audit, outcome)
        return outcome

    def _tables(self) -> dict[str, Any]:
        """Return all tables by their names; what several of them share is copied once with them."""
        return {name: table for name, table in vars(self).items() if isinstance(table, dict | set | DueRuns)}

    async def _mend_worker(self, worker: WorkerId, mend: Mend) -> None:
        if mend.kind is MendKind.SHORTEN_LEASE:
            self._workers[worker].expires_at = self.now() + round(SHORTENED_LEASE_SECONDS * MICROSECONDS)
        else:
            counted = await self.blame(worker, UNEXPLAINED, only_expired=True)
            await self.retire_worker(
                worker, executing=counted, poison_after=POISON_AFTER_DEATHS, only_expired=True
            )

    def _mend_run(self, run_id: RunId, mend: Mend) -> None:
        if mend.kind is MendKind.DROP_ORPHANS:
            for place in [place for place in self._tasks if place[0] == run_id]:
                del self._tasks[place]
            return
        run = self._runs[run_id]
        match mend.kind:
            case MendKind.WAKE | MendKind.FREE | MendKind.GIVE_TOKEN:
                self._release_damaged(run, new_token=mend.kind is MendKind.GIVE_TOKEN)
            case MendKind.REQUEUE:
                self._drop_task(run_id, mend.seq)
                self._deliver(run, InboxKind.ACTIVITY_INTERRUPTED, str(mend.seq), (), str(mend.number))
                self._notify_of_mail([run])
            case MendKind.DROP_TASK:
                self._drop_task(run_id, mend.seq)
            case MendKind.DROP_MAIL:
                run.inbox.clear()
            case MendKind.DROP_SNAPSHOTS:
                run.snapshots = None
            case MendKind.DROP_PUBLISHED:
                self._published[run.chain].pop(mend.name, None)
            case MendKind.REPORT_CHILD:
                self._report_end(self._runs[RunId(mend.name)])
                self._notify_of_mail([run])
            case MendKind.ASK_TO_STOP:
                self._after_ends(self._request_cancel([run], BY_PARENT))
            case MendKind.END_STOPPED:
                self._end_stopped([run])
            case _:
                self._mend_row(run, mend.kind)

    def _mend_row(self, run: StoredRun, kind: MendKind) -> None:
        now = self.now()
        match kind:
            case MendKind.RAISE_TOKENS:
                self._tokens = count(max(next(self._tokens), run.token + 1))
            case MendKind.CLEAR_END:
                run.result = run.error = run.completed_at = run.retain_until = None
            case MendKind.COMPLETE_END:
                self._release(run)
                run.due_at = None
                run.completed_at = run.updated_at if run.completed_at is None else run.completed_at
                self._notifications.send(Topic.LOST, [run.start.id])
            case MendKind.SET_TIMES:
                times = [event.at for event in run.events if _is_moment(event.at)] or [now]
                run.started_at = run.started_at if _is_moment(run.started_at) else min(times)
                run.updated_at = run.updated_at if _is_moment(run.updated_at) else max(times)
                if run.due_at is not None and not _is_moment(run.due_at):
                    self._release_damaged(run, new_token=False)
            case MendKind.UNBLOCK:
                self._release(run)
                self._enter(run, RunState.RUNNING)
                run.reason = run.fault = run.tried_in = None
                run.deaths = 0
                self._release_damaged(run, new_token=False)
            case _:
                raise AssertionError(f"{kind} is no mend of a row")

    def _release_damaged(self, run: StoredRun, *, new_token: bool) -> None:
        """Make a run that has no owner which lives due, under a new token if that is wanted."""
        if run.owner is not None and run.owner not in self._workers:
            run.owner = None
        elif new_token:
            self._release(run)
        if new_token:
            run.token = next(self._tokens)
        run.due_at = self.now() if run.state <= RunState.SUSPENDED else None
        if run.claimable:
            self._make_claimable(run)
            self._notifications.send(Topic.WORK)


def _is_moment(at: int) -> bool:
    return FIRST_MOMENT <= at <= LAST_MOMENT
