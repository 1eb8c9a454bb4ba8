"""How much there is to do: what is due, what is queued, and what open runs wait for."""

from __future__ import annotations

from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.port import Journal, Loaded, RunState, Transition
from continuum.journal.wait import Wait
from continuum.journal.workload_port import Backlog, OpenWork, WaitedFor
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    new_task,
    owned_run,
    queue_tasks,
    take_tasks,
    worker_of,
    write,
)

REVIEW = Wait("signal", -1, "review", 1_700_000_000_000_000)
EARLIER = Wait("signal", -1, "review", 1_600_000_000_000_000)
MAIL = Wait("activity", 3, "send", 1_700_000_000_000_001)
# The journal's clock is read without I/O.
CLOCKS_DIFFER = 1_000_000
MORE_MAIL = Wait("activity", 5, "send", 1_700_000_000_000_009)


def parked(*waits: Wait) -> Transition:
    """Return the transition of a run that waits."""
    return Transition(RunState.SUSPENDED, waits=waits)


async def test_due_runs_are_the_backlog_until_they_are_claimed_or_paused(journal: Journal) -> None:
    assert await journal.backlog() == Backlog(0, False, None)
    before = journal.now()
    await begin(journal)
    between = journal.now()
    await begin(journal, workflow="bills")

    backlog = await journal.backlog()
    assert (backlog.runs, backlog.more) == (2, False)
    assert backlog.since is not None
    assert before - CLOCKS_DIFFER <= backlog.since <= between + CLOCKS_DIFFER

    await claim(journal, await worker_of(journal))
    assert (await journal.backlog()).runs == 1
    await journal.pause_together(PauseScope(PauseKind.WORKFLOW, "bills"))
    assert await journal.backlog() == Backlog(0, False, None)


async def test_a_queue_has_tasks_that_wait_and_tasks_that_are_claimed(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    assert await journal.queue_loads() == []

    tasks = [new_task(1, priority=-3), new_task(2), new_task(3, queue="print", priority=-9)]
    await queue_tasks(journal, worker, run, *tasks)

    mail, printed = await journal.queue_loads()
    assert (mail.queue, mail.waiting, mail.claimed, mail.more) == ("mail", 2, 0, False)
    assert (printed.queue, printed.waiting, printed.claimed) == ("print", 1, 0)
    assert mail.since is not None
    assert printed.since is not None
    assert mail.since <= printed.since

    await take_tasks(journal, worker, limit=2)
    await journal.pause_together(PauseScope(PauseKind.QUEUE, "print"))
    mail, printed = await journal.queue_loads()
    assert (mail.waiting, mail.since, mail.claimed) == (0, None, 2)
    assert (printed.waiting, printed.claimed) == (1, 0)


async def test_open_runs_say_what_they_do_and_what_they_wait_for(journal: Journal) -> None:
    worker = await worker_of(journal)
    runs = [await owned_run(journal, worker) for _ in range(5)]
    transitions = [parked(REVIEW), parked(EARLIER, MAIL, MORE_MAIL), parked(), Transition(RunState.BLOCKED)]
    for run, transition in zip(runs, transitions, strict=False):
        await commit(journal, worker, write(run, transition=transition))
    await begin(journal)

    assert await journal.open_work() == OpenWork(
        {"running": 2, "suspended": 3, "blocked": 1},
        [
            WaitedFor("signal", "review", 2, EARLIER.since),
            WaitedFor("activity", "send", 1, MAIL.since),
            WaitedFor("nothing", "", 1, None),
        ],
        6,
        False,
    )

    await commit(journal, worker, write(runs[1], transition=end()))
    work = await journal.open_work()
    assert work.looked_at == 5
    assert work.waits[1:] == [WaitedFor("signal", "review", 1, REVIEW.since)]


async def test_open_runs_are_those_of_the_workflow_that_is_asked_for(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=parked(MAIL)))
    for workflow in ("bills", "orders", "zebras"):
        await begin(journal, workflow=workflow)
    await claim(journal, worker, code=[Loaded("zebras", "v1")])

    assert await journal.open_work("orders") == OpenWork(
        {"running": 1, "suspended": 1}, [WaitedFor("activity", "send", 1, MAIL.since)], 2, False
    )
    assert await journal.open_work("bills") == OpenWork({"running": 1}, [], 1, False)
    assert await journal.open_work("zebras") == OpenWork({"running": 1}, [], 1, False)
    assert await journal.open_work("none") == OpenWork({}, [], 0, False)
