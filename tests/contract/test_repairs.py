"""Repairs: they decide under their locks, do all or nothing, and record what came of it."""

from __future__ import annotations

from typing import Any

import pytest

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import Action, AuditFacts, AuditQuery, ChangeOutcome
from continuum.journal.mend import Mend, MendKind
from continuum.journal.port import ClaimedRun, InboxKind, Journal, RunState, Worker
from continuum.journal.repair_port import DamageFacts, Decide, Decision, NotMended
from tests.contract.builders import (
    claim,
    commit,
    event,
    history,
    let_expire,
    new_run,
    new_task,
    owned_run,
    row,
    signal,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)
from tests.contract.families import block, finish, parent_and_child

NOTHING = Decision(ChangeOutcome.ALREADY)
FACTS = AuditFacts(new_run().id, "ann", "cli", Action.REPAIR, "run", {"code": "lost-wake"}, "ticket 7")


def once(*mends: Mend) -> Decide:
    """Decide for these mends, and find nothing any more afterwards."""
    left = [Decision(ChangeOutcome.DONE, mends)]
    return lambda facts: left.pop() if left else NOTHING


async def mended(journal: Journal, run: RunId | ClaimedRun, kind: MendKind, **facts: Any) -> None:
    """Make one mend of a run."""
    run_id = run.id if isinstance(run, ClaimedRun) else run
    mend = Mend(kind)._replace(**facts)
    assert await journal.repair(run_id, once(mend)) is ChangeOutcome.DONE


async def mail_of(journal: Journal, run_id: RunId) -> list[tuple[int, str, str | None]]:
    """Return the inbox of a run."""
    facts = (await journal.damage_facts(run_id)).run
    assert facts is not None
    return [(mail.kind, mail.name, mail.key) for mail in facts.inbox]


async def parked(journal: Journal, worker: Worker) -> ClaimedRun:
    """Return a run that waits for mail, and that nobody owns."""
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(None)))
    return run


async def test_a_repair_sees_the_run_and_the_workers(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(0), tasks=[new_task()]))

    cluster, facts = await journal.damage_facts(run.id)

    assert facts is not None
    assert (facts.id, facts.token, len(facts.events), len(facts.tasks)) == (run.id, run.token, 1, 1)
    assert [each.id for each in cluster.workers] == [worker.id]
    assert (await journal.damage_facts(new_run().id)).run is None
    assert (await journal.damage_facts(worker.id)).run is None


async def test_a_run_that_is_woken_is_claimed(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await parked(journal, worker)
    assert await claim(journal, worker) == []

    await mended(journal, run, MendKind.WAKE)

    (again,) = await claim(journal, worker)
    assert again.id == run.id
    assert again.token > run.token


async def test_a_run_that_its_owner_has_is_not_woken(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await mended(journal, run, MendKind.WAKE)
    assert await claim(journal, worker) == []
    assert not (await commit(journal, worker, write(run, event(0)))).rejected


async def test_a_task_that_is_queued_again_mails_its_run(journal: Journal) -> None:
    """P18"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, tasks=[new_task(3)]))

    await mended(journal, run, MendKind.REQUEUE, seq=3, number=2)

    assert await take_tasks(journal, worker) == []
    assert await mail_of(journal, run.id) == [(InboxKind.ACTIVITY_INTERRUPTED, "3", "2")]


async def test_the_end_of_a_child_is_reported_again(journal: Journal) -> None:
    """P14"""
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await finish(journal, worker, child, result=b"done")
    before = await mail_of(journal, parent.id)

    await mended(journal, parent, MendKind.REPORT_CHILD, name=child.id)

    assert await mail_of(journal, parent.id) == before * 2


async def test_a_child_is_asked_to_stop_once(journal: Journal) -> None:
    """P15"""
    worker = await worker_of(journal)
    _, child = await parent_and_child(journal, worker)
    for _ in range(2):
        await mended(journal, child, MendKind.ASK_TO_STOP)
    assert await mail_of(journal, child.id) == [(InboxKind.CANCEL, "parent", "cancel")]


async def test_a_blocked_run_is_tried_again(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await block(journal, worker, run)
    await mended(journal, run, MendKind.UNBLOCK)
    assert (await row(journal, run.id)).state is RunState.RUNNING
    assert [each.id for each in await claim(journal, worker)] == [run.id]


async def test_a_run_gets_a_token_that_no_owner_had(journal: Journal) -> None:
    """P7"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await mended(journal, run, MendKind.GIVE_TOKEN)
    assert (await commit(journal, worker, write(run, event(0)))).rejected == {run.id}
    assert [each.id for each in await claim(journal, worker)] == [run.id]
    assert await history(journal, run.id) == []


async def test_the_lease_of_a_worker_is_shortened(journal: Journal) -> None:
    worker = await worker_of(journal, ttl=100_000.0)
    assert await journal.repair(worker.id, once(Mend(MendKind.SHORTEN_LEASE))) is ChangeOutcome.DONE
    (lease,) = (await journal.damage_facts(worker.id)).cluster.workers
    assert 5 < (lease.expires_at - journal.now()) / 1e6 <= 31
    assert await journal.expired_workers() == []


async def test_an_expired_worker_is_retired(journal: Journal) -> None:
    """P8"""
    worker, other = await worker_of(journal), await worker_of(journal, "south")
    run = await owned_run(journal, worker)
    await let_expire(journal, worker)
    assert await journal.repair(worker.id, once(Mend(MendKind.RETIRE))) is ChangeOutcome.DONE
    assert [each.id for each in await claim(journal, other)] == [run.id]


async def test_a_worker_that_has_renewed_its_lease_is_not_retired(journal: Journal) -> None:
    """P8"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    assert await journal.repair(worker.id, once(Mend(MendKind.RETIRE))) is ChangeOutcome.DONE
    assert not (await commit(journal, worker, write(run, event(0)))).rejected


async def test_a_repair_and_its_outcome_are_recorded_together(journal: Journal) -> None:
    """P20"""
    worker = await worker_of(journal)
    run = await parked(journal, worker)
    facts = FACTS._replace(subject=run.id)
    await journal.repair(run.id, once(Mend(MendKind.WAKE)), audit=facts)
    stale = Decision(ChangeOutcome.STALE)
    again = facts._replace(id=new_run().id)
    assert await journal.repair(run.id, lambda _: stale, audit=again) is ChangeOutcome.STALE
    rows = await journal.audited(AuditQuery(10))
    assert [each.outcome for each in rows] == ["stale", "done"]
    assert {(each.action, each.actor, each.subject) for each in rows} == {("repair", "ann", run.id)}


async def test_a_repair_that_leaves_damage_changes_and_records_nothing(journal: Journal) -> None:
    """P20"""
    worker = await worker_of(journal)
    run = await parked(journal, worker)
    before = await journal.damage_facts(run.id)

    def never(facts: DamageFacts) -> Decision:
        return Decision(ChangeOutcome.DONE, [Mend(MendKind.WAKE)])

    with pytest.raises(NotMended):
        await journal.repair(run.id, never, audit=FACTS)

    assert (await journal.damage_facts(run.id)).run == before.run
    assert await journal.audited(AuditQuery(10)) == []
    assert await claim(journal, worker) == []
    await journal.post([signal(run.id)])
    assert [each.id for each in await claim(journal, worker)] == [run.id]
