"""Several queues: each has its own limit."""

from __future__ import annotations

from continuum.journal.port import ClaimedTask, InboxKind, Journal, TaskResult
from tests.contract.builders import new_task, owned_run, queue_tasks, take_tasks, worker_of

LIMITS = {"slow": 1, "fast": 2}


def queues_of(tasks: list[ClaimedTask]) -> list[str]:
    """Return the queues that tasks came from."""
    return sorted(task.queue for task in tasks)


async def test_free_room_in_one_queue_is_not_used_for_another(journal: Journal) -> None:
    """CON4"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    names = ["slow"] * 3 + ["fast"] * 3
    await queue_tasks(
        journal, worker, run, *(new_task(seq, queue=queue) for seq, queue in enumerate(names, start=1))
    )

    async def finish(task: ClaimedTask) -> None:
        await journal.complete_tasks(worker, [TaskResult(task, InboxKind.ACTIVITY_COMPLETED, (b"result",))])

    first = await take_tasks(journal, worker, 3, limits=LIMITS)
    assert queues_of(first) == ["fast", "fast", "slow"]

    await finish(next(task for task in first if task.queue == "fast"))
    assert queues_of(await take_tasks(journal, worker, limits=LIMITS)) == ["fast"]
    assert await take_tasks(journal, worker, limits=LIMITS) == []

    await finish(next(task for task in first if task.queue == "slow"))
    assert queues_of(await take_tasks(journal, worker, limits=LIMITS)) == ["slow"]


async def test_a_full_queue_takes_no_room_from_others(journal: Journal) -> None:
    """CON1: one task runs, and the next claim finds none."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, *(new_task(seq, queue="slow") for seq in (1, 2, 3)))

    assert len(await take_tasks(journal, worker, limits={"slow": 1})) == 1
    assert await take_tasks(journal, worker, limits={"slow": 1}) == []
    await queue_tasks(journal, worker, run, new_task(4, queue="fast"))
    assert queues_of(await take_tasks(journal, worker, limits=LIMITS)) == ["fast"]
