"""One look that tells a node without notifications what they would tell."""

from __future__ import annotations

from typing import Any

from continuum.engine.ids import NodeId
from continuum.journal.limits import NOTIFICATION_IDS
from continuum.journal.look_port import LookedFor
from continuum.journal.port import Journal, Loaded, Worker
from continuum.journal.suspect_port import UNEXPLAINED
from tests.contract.builders import (
    CODE,
    SOON,
    begin,
    claim,
    commit,
    new_task,
    owned_run,
    owned_runs,
    retire,
    signal,
    sleep_until,
    worker_of,
    write,
)


def wanted(*workers: Worker, **facts: Any) -> LookedFor:
    """Return what the node of these workers looks for."""
    return LookedFor(NodeId("north"), [worker.id for worker in workers], CODE, ["send"])._replace(**facts)


async def test_an_empty_journal_shows_nothing(journal: Journal) -> None:
    seen = await journal.look(wanted(), None)

    assert (seen.due, seen.tasks, seen.mail, seen.newest, seen.suspects) == (None, None, {}, 0, False)


async def test_a_look_shows_when_the_next_run_is_due(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    due = journal.now() + SOON
    await commit(journal, worker, write(run, transition=sleep_until(due)))
    before = (await journal.look(wanted(worker), 0)).due
    await begin(journal)

    after = (await journal.look(wanted(worker), 0)).due

    assert before == due
    assert after is not None
    assert after <= journal.now()


async def test_a_look_shows_no_run_whose_code_or_namespace_the_node_does_not_serve(journal: Journal) -> None:
    await begin(journal, workflow="invoices")
    await begin(journal, namespace="other")

    seen = await journal.look(wanted(namespaces=("mine",)), None)

    assert seen.due is None


async def test_a_look_agrees_with_a_claim_about_what_is_due(journal: Journal) -> None:
    worker = await worker_of(journal)
    await begin(journal)
    looked = await journal.look(wanted(worker, code=(Loaded("orders", "v2"),)), None)
    await claim(journal, worker)

    assert looked.due is not None
    assert (await journal.look(wanted(worker), None)).due is None


async def test_a_look_shows_another_number_for_each_new_task(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, tasks=[new_task(1)]))
    first = (await journal.look(wanted(worker), 0)).tasks
    await commit(journal, worker, write(run, tasks=[new_task(2)]))

    second = (await journal.look(wanted(worker), 0)).tasks

    assert first is not None
    assert second is not None
    assert first != second


async def test_a_look_shows_no_task_of_others(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    tasks = [new_task(1, activity="fly"), new_task(2, node=NodeId("south"))]
    await commit(journal, worker, write(run, tasks=tasks))

    assert (await journal.look(wanted(worker), 0)).tasks is None
    assert (await journal.look(wanted(worker, activities=["fly"], namespaces=("other",)), 0)).tasks is None
    assert (await journal.look(wanted(worker, activities=["fly"]), 0)).tasks is not None


async def test_many_tasks_of_others_are_no_news_at_each_look(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, tasks=[new_task(seq, activity="fly") for seq in range(600)]))

    first, second = [(await journal.look(wanted(worker), 0)).tasks for _ in range(2)]

    assert first == second


async def test_a_look_names_the_runs_of_its_workers_that_have_mail(journal: Journal) -> None:
    worker, other = await worker_of(journal), await worker_of(journal, node="south")
    mine = await owned_run(journal, worker)
    theirs = await owned_run(journal, other)
    await journal.post([signal(mine.id), signal(theirs.id)])

    seen = await journal.look(wanted(worker), 0)

    assert seen.mail is not None
    assert set(seen.mail.values()) == {mine.id}
    assert max(seen.mail) <= seen.newest


async def test_a_look_from_a_position_on_shows_later_mail_alone(journal: Journal) -> None:
    worker = await worker_of(journal)
    first, second = await owned_runs(journal, worker, 2)
    await journal.post([signal(first.id)])
    newest = (await journal.look(wanted(worker), 0)).newest
    await journal.post([signal(second.id)])

    later, everything = await journal.look(wanted(worker), newest), await journal.look(wanted(worker), None)

    assert later.mail is not None
    assert everything.mail is not None
    assert set(later.mail.values()) == {second.id}
    assert set(everything.mail.values()) == {first.id, second.id}


async def test_a_look_does_not_name_more_runs_than_a_notification(journal: Journal) -> None:
    worker = await worker_of(journal)
    for _ in range(NOTIFICATION_IDS + 1):
        await begin(journal)
    runs = await claim(journal, worker, limit=NOTIFICATION_IDS + 1)
    await journal.post([signal(run.id) for run in runs])

    assert (await journal.look(wanted(worker), 0)).mail is None
    assert (await journal.look(wanted(worker), None)).mail is None


async def test_a_look_shows_suspects_that_wait(journal: Journal) -> None:
    await begin(journal)
    await begin(journal)
    for _ in range(2):
        worker = await worker_of(journal)
        await claim(journal, worker)
        await journal.blame(worker.id, UNEXPLAINED)
        await retire(journal, worker)

    seen = await journal.look(wanted(), None)

    assert seen.suspects
    assert await journal.suspects_wait()
