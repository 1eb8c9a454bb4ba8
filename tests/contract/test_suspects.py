"""Blame for deaths: what is counted, who is suspected, and in what company suspects are tried."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.port import InboxKind, Journal, RunState, Worker
from continuum.journal.suspect_port import UNEXPLAINED, Death, EarlierDeaths, Executed
from tests.contract.builders import (
    CODE,
    POISON_AFTER,
    begin,
    claim,
    commit,
    let_expire,
    new_run,
    new_task,
    owned_run,
    owned_runs,
    queue_tasks,
    row,
    sleep_until,
    take_tasks,
    worker_of,
    write,
)


async def dies(journal: Journal, worker: Worker, death: Death = UNEXPLAINED) -> None:
    """Blame and retire a worker, as recovery does."""
    counted = await journal.blame(worker.id, death)
    await journal.retire_worker(worker.id, executing=counted, poison_after=POISON_AFTER)


async def suspects(journal: Journal, worker: Worker) -> list[RunId]:
    """Claim a group of suspects."""
    return [run.id for run in await journal.claim_suspects(worker, CODE)]


async def die_unexplained(journal: Journal, times: int) -> None:
    """Lose everything that is due, again and again."""
    for _ in range(times):
        worker = await worker_of(journal)
        await claim(journal, worker)
        await journal.claim_suspects(worker, CODE)
        await dies(journal, worker)


async def kinds_of_mail(journal: Journal, owner: Worker) -> list[tuple[InboxKind, str, str | None]]:
    return [(mail.kind, mail.name, mail.key) for mail in await journal.inbox(owner, None)]


async def test_only_the_attempt_that_killed_its_process_is_counted(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1), new_task(2, dispatch=3), new_task(5))
    await take_tasks(journal, hand)

    await dies(journal, hand, Death(Executed(run.id, 2, 3)))

    assert sorted(await kinds_of_mail(journal, owner)) == [
        (InboxKind.ACTIVITY_CRASHED, "2", "3"),
        (InboxKind.ACTIVITY_INTERRUPTED, "1", "1"),
        (InboxKind.ACTIVITY_INTERRUPTED, "5", "1"),
    ]


async def test_an_attempt_in_the_process_of_its_run_is_blamed_by_mail(journal: Journal) -> None:
    owner, other = await worker_of(journal), await worker_of(journal)
    run, company = await owned_runs(journal, owner, 2)

    await dies(journal, owner, Death(Executed(run.id, 4, 2)))

    assert [claimed.id for claimed in await claim(journal, other)] == [company.id]
    assert await suspects(journal, other) == [run.id]
    assert await kinds_of_mail(journal, other) == [(InboxKind.ACTIVITY_CRASHED, "4", "2")]
    assert (await row(journal, run.id)).state is RunState.RUNNING


async def test_suspects_keep_no_other_group_from_claims_of_few_runs(journal: Journal) -> None:
    killer = await worker_of(journal)
    suspect = await owned_run(journal, killer, namespace="a")
    company = await owned_run(journal, killer, namespace="b")
    await dies(journal, killer, Death(Executed(suspect.id, 4, 2)))

    worker = await worker_of(journal)
    # The group of the suspect comes first, and there is a place for one group.
    claims = [await claim(journal, worker, limit=1) for _ in range(2)]

    assert [run.id for claimed in claims for run in claimed] == [company.id]


async def test_a_run_behind_many_groups_of_suspects_is_due(journal: Journal) -> None:
    await journal.start([new_run(namespace=f"a{number}") for number in range(110)])
    for _ in range(2):
        killer = await worker_of(journal)
        assert len(await claim(journal, killer, limit=110)) == 110
        await dies(journal, killer)
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, namespace="b")
    await journal.release(worker, [run.id], crashed=False, poison_after=POISON_AFTER)

    due = await journal.next_due(CODE)

    assert due is not None
    assert due <= journal.now()


async def test_blame_that_is_repeated_changes_nothing(journal: Journal) -> None:
    owner = await worker_of(journal)
    run, _ = await owned_runs(journal, owner, 2)
    death = Death(Executed(run.id, 4, 1))

    for _ in range(3):
        await journal.blame(owner.id, death)
        await journal.blame(owner.id, UNEXPLAINED)
    await dies(journal, owner, death)

    other = await worker_of(journal)
    # Suspected once, which is no reason for quarantine.
    assert len(await claim(journal, other)) == 1
    assert await suspects(journal, other) == [run.id]
    assert len(await journal.inbox(other, None)) == 1


async def test_a_death_is_counted_against_the_run_whose_code_killed_its_process(journal: Journal) -> None:
    run_id = await begin(journal)
    for death in range(POISON_AFTER):
        worker = await worker_of(journal)
        claimed = await (claim(journal, worker) if death == 0 else journal.claim_suspects(worker, CODE))
        assert [run.id for run in claimed] == [run_id]
        await dies(journal, worker, Death(Executed(run_id)))

    assert (await row(journal, run_id)).state is RunState.BLOCKED


async def test_a_task_whose_time_was_over_is_timed_out_and_not_counted(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1, timeout=0.000_001))
    await take_tasks(journal, hand)
    await let_expire(journal, hand)

    await journal.blame(hand.id, Death(Executed(run.id, 1, 1)))
    await journal.retire_worker(hand.id, executing=None, poison_after=POISON_AFTER)

    assert [mail.kind for mail in await journal.inbox(owner, None)] == [InboxKind.ACTIVITY_TIMED_OUT]


async def test_one_unexplained_death_keeps_nobody_from_an_ordinary_claim(journal: Journal) -> None:
    runs = {await begin(journal) for _ in range(3)}
    await die_unexplained(journal, 1)

    worker = await worker_of(journal)

    assert not await journal.suspects_wait()
    assert await journal.claim_suspects(worker, CODE) == []
    assert {run.id for run in await claim(journal, worker)} == runs


async def test_a_suspect_that_sleeps_waits_for_no_trial(journal: Journal) -> None:
    await begin(journal)
    await die_unexplained(journal, 2)
    assert await journal.suspects_wait()
    worker = await worker_of(journal)
    (suspect,) = await journal.claim_suspects(worker, CODE)
    later = journal.now() + 3_600_000_000

    await commit(journal, worker, write(suspect, transition=sleep_until(later)))

    assert not await journal.suspects_wait()


async def test_suspects_are_tried_in_ever_smaller_company_until_each_is_alone(journal: Journal) -> None:
    runs = {await begin(journal) for _ in range(40)}
    sizes = []
    await die_unexplained(journal, 2)
    for _ in range(6):
        worker = await worker_of(journal)
        assert await journal.suspects_wait()
        group = await suspects(journal, worker)
        sizes.append(len(group))
        await dies(journal, worker)
        # The others would come first, because they were there less often.
        await journal.acquit([(run_id, None) for run_id in runs.difference(group)])

    assert sizes == [32, 16, 8, 4, 2, 1]


async def test_a_suspect_that_was_alone_is_what_killed_its_process(journal: Journal) -> None:
    run_id = await begin(journal)
    await die_unexplained(journal, 2)
    assert (await row(journal, run_id)).state is RunState.RUNNING

    await die_unexplained(journal, POISON_AFTER)

    assert (await row(journal, run_id)).state is RunState.BLOCKED


async def test_a_suspected_task_that_was_alone_is_counted(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1))
    (task,) = await take_tasks(journal, hand)
    await dies(journal, hand, Death(Executed(run.id, 1, 1)))
    await queue_tasks(journal, owner, run, new_task(1, dispatch=2))

    other = await worker_of(journal)
    assert await take_tasks(journal, other) == []
    await journal.heartbeat(run.id, 1, b"half")
    (again,) = await journal.claim_suspected_tasks(other, [task.activity])
    assert (again.dispatch, again.last_heartbeat) == (2, b"half")
    await dies(journal, other)

    assert await kinds_of_mail(journal, owner) == [
        (InboxKind.ACTIVITY_CRASHED, "1", "1"),
        (InboxKind.ACTIVITY_CRASHED, "1", "2"),
    ]


async def test_the_named_are_suspected_and_their_company_is_not(journal: Journal) -> None:
    owner = await worker_of(journal)
    one, two, company = await owned_runs(journal, owner, 3)

    await dies(journal, owner, Death(named=(Executed(one.id, 1, 1), Executed(two.id))))

    other = await worker_of(journal)
    assert [run.id for run in await claim(journal, other)] == [company.id]
    # Each alone.
    assert {*await suspects(journal, other), *await suspects(journal, other)} == {one.id, two.id}
    assert await journal.inbox(other, None) == []


async def test_the_only_one_that_is_named_is_tried_alone(journal: Journal) -> None:
    owner = await worker_of(journal)
    run, company = await owned_runs(journal, owner, 2)
    await dies(journal, owner, Death(named=(Executed(run.id, 1, 1),)))

    other = await worker_of(journal)
    assert [run.id for run in await claim(journal, other)] == [company.id]
    assert await suspects(journal, other) == [run.id]
    # Unless its process dies again, and then of it.
    assert await journal.blame(other.id, UNEXPLAINED) == run.id


async def test_an_acquitted_suspect_is_claimed_with_all_others(journal: Journal) -> None:
    owner = await worker_of(journal)
    run = await owned_run(journal, owner)
    await dies(journal, owner, Death(Executed(run.id, 1, 1)))
    other = await worker_of(journal)
    assert await claim(journal, other) == []

    await journal.acquit([(run.id, None)])

    assert [again.id for again in await claim(journal, other)] == [run.id]


async def test_a_workflow_that_keeps_killing_is_kept_apart(journal: Journal) -> None:
    killers = [await begin(journal) for _ in range(3)]
    for run_id in killers:
        worker = await worker_of(journal)
        await claim(journal, worker)
        await dies(journal, worker, Death(Executed(run_id)))
    fresh = await begin(journal)

    worker = await worker_of(journal)

    assert await claim(journal, worker) == []
    assert await journal.next_due(CODE) is None
    assert [run.id for run in await journal.claim_deadly(worker, CODE, 100)] == [fresh]


async def test_an_expired_lease_is_blamed_only_once_it_has_expired(journal: Journal) -> None:
    owner = await worker_of(journal)
    run = await owned_run(journal, owner)
    death = Death(Executed(run.id, 1, 1))

    await journal.blame(owner.id, death, only_expired=True)
    assert await journal.inbox(owner, None) == []

    await let_expire(journal, owner)
    await journal.blame(owner.id, death, only_expired=True)
    await journal.retire_worker(owner.id, executing=None, poison_after=POISON_AFTER)
    assert len(await suspects(journal, await worker_of(journal))) == 1


async def test_an_acquittal_counts_once_a_process_has_died_after_it(journal: Journal) -> None:
    run_id = await begin(journal)
    place = (run_id, None)
    for times in (0, 1, 2):
        await die_unexplained(journal, 2)
        worker = await worker_of(journal)
        assert await suspects(journal, worker) == [run_id]
        assert (await journal.earlier_deaths([place])).after_acquittal == times
        await journal.acquit([place])
        await journal.retire_worker(worker.id, executing=None, poison_after=POISON_AFTER)
    # It was not there at any later death.
    assert (await journal.earlier_deaths([place])).after_acquittal == 2


async def test_how_long_a_suspect_has_lived_is_remembered(journal: Journal) -> None:
    owner, hand = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, owner)
    await queue_tasks(journal, owner, run, new_task(1), new_task(2))
    await take_tasks(journal, hand)
    assert await journal.earlier_deaths([(run.id, 1)]) == EarlierDeaths(0.0, 0)
    for worker, death in ((hand, Death(Executed(run.id, 1, 1))), (owner, UNEXPLAINED)):
        await dies(journal, worker, death)
    for place in ((run.id, 1), (run.id, None)):
        assert (await journal.earlier_deaths([place])).lived > 0


async def test_workflows_whose_runs_were_only_there_are_not_kept_apart(journal: Journal) -> None:
    for _ in range(3):
        owner = await worker_of(journal)
        run = await owned_run(journal, owner)
        await dies(journal, owner, Death(named=(Executed(run.id, 1, 1),)))
    fresh = await begin(journal)

    worker = await worker_of(journal)

    assert [run.id for run in await claim(journal, worker)] == [fresh]


async def test_suspected_tasks_are_tried_in_ever_smaller_company_too(
    journal: Journal,
) -> None:
    owner = await worker_of(journal)
    run = await owned_run(journal, owner)
    lost = set(range(1, 41))
    sizes = []
    for death in range(8):
        # What was lost is started again under its next number, as its run does it.
        again = [new_task(seq, dispatch=death + 1) for seq in sorted(lost)]
        await commit(journal, owner, write(run, tasks=again))
        hand = await worker_of(journal)
        if death < 2:
            claimed = await take_tasks(journal, hand)
        else:
            claimed = await journal.claim_suspected_tasks(hand, ["send"])
            # The others would come first, because they were there less often.
            await journal.acquit([(run.id, seq) for seq in lost.difference(task.seq for task in claimed)])
        lost = {task.seq for task in claimed}
        sizes.append(len(lost))
        await dies(journal, hand)

    assert sizes == [40, 40, 32, 16, 8, 4, 2, 1]
