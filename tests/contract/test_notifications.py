"""Notifications that something may have changed.

A listener may take a moment to connect, so each test first causes notifications until
one arrives (`listening`), and then checks what its own action causes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from continuum.engine.ids import NodeId, RunId
from continuum.journal.announced_run import AnnouncedRun
from continuum.journal.announcement import announcement, read_announcement
from continuum.journal.port import (
    ClaimedTask,
    InboxKind,
    Journal,
    NewRun,
    NodeFacts,
    Notification,
    TaskResult,
    Topic,
    Worker,
)
from continuum.journal.resumed_run import read_woken
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    new_run,
    new_task,
    owned_run,
    owned_runs,
    queue_tasks,
    retire,
    row,
    signal,
    sleep_until,
    take_tasks,
    until,
    worker_of,
    write,
)
from tests.contract.families import family_write, new_child

Cause = Callable[[], Awaitable[object]]


@asynccontextmanager
async def listening(journal: Journal, channel: str | None = None) -> AsyncIterator[list[Notification]]:
    """Yield received notifications, once the listener is connected for every topic."""
    received: list[Notification] = []

    async def listen() -> None:
        async for notification in journal.notifications(list(Topic), channel=channel):
            received.append(notification)  # noqa: PERF401 - the list is read while it grows

    listener = asyncio.create_task(listen())

    probes: list[str] = []

    async def connected() -> bool:
        probes.append(await begin(journal, workflow="probe"))
        await journal.force_cancel(RunId(probes[-1]))
        return any(each.topic is Topic.DONE and each.ids for each in received)

    async def last_probe_received() -> bool:
        return any(each.topic is Topic.DONE and probes[-1] in each.ids for each in received)

    try:
        await until(connected)
        await until(last_probe_received)
        received.clear()
        yield received
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


def completed(task: ClaimedTask) -> TaskResult:
    """Return the result of a claimed task."""
    return TaskResult(task, InboxKind.ACTIVITY_COMPLETED, (b"r",))


async def test_every_change_sends_its_notification(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    async with listening(journal) as received:

        async def expect(topic: Topic, ids: tuple[str, ...], cause: Cause) -> None:
            received.clear()
            await cause()

            async def arrived() -> bool:
                return any(each.topic is topic and set(ids) <= set(each.ids) for each in received)

            await until(arrived)

        await expect(Topic.WAKE, (run.id,), lambda: journal.post([signal(run.id)]))
        await expect(Topic.WORK, (), lambda: begin(journal, workflow="refunds"))
        await expect(Topic.TASKS, (), lambda: queue_tasks(journal, worker, run, new_task(1), new_task(2)))
        first, second = await take_tasks(journal, worker)
        await expect(Topic.WAKE, (run.id,), lambda: journal.complete_tasks(worker, [completed(first)]))
        await expect(Topic.WORK, (), lambda: journal.release(worker, [run.id], crashed=False, poison_after=3))
        await expect(Topic.WORK, (), lambda: journal.post([signal(run.id)]))
        await expect(Topic.WORK, (), lambda: journal.complete_tasks(worker, [completed(second)]))
        (again,) = await claim(journal, worker)
        await expect(Topic.WORK, (), lambda: retire(journal, worker))
        other_worker = await worker_of(journal)
        (again,) = await claim(journal, other_worker)
        ending = write(again, event(1), transition=end())
        await expect(Topic.DONE, (run.id,), lambda: commit(journal, other_worker, ending))


async def test_a_batch_that_ends_many_runs_names_all_of_them(journal: Journal) -> None:
    worker = await worker_of(journal)
    for _ in range(150):
        await begin(journal)
    runs = await claim(journal, worker, limit=150)
    async with listening(journal) as received:
        await commit(journal, worker, *(write(run, transition=end()) for run in runs))

        async def all_named() -> bool:
            return {run.id for run in runs} <= {id for each in received for id in each.ids}

        await until(all_named)


async def test_a_batch_too_large_to_name_its_runs_sends_an_empty_notification(journal: Journal) -> None:
    worker = await worker_of(journal)
    await journal.start([new_run() for _ in range(250)])
    runs = await claim(journal, worker, limit=250)
    async with listening(journal) as received:
        await commit(journal, worker, *(write(run, transition=end()) for run in runs))

        async def was_sent() -> bool:
            return Notification(Topic.DONE, ()) in received

        await until(was_sent)


async def test_a_burst_of_mail_names_every_run_that_has_some(journal: Journal) -> None:
    """Otherwise each host would read all the mail of all its runs, again and again while the burst lasts."""
    worker = await worker_of(journal)
    await journal.start([new_run() for _ in range(450)])
    runs = await claim(journal, worker, limit=450)
    async with listening(journal) as received:
        await journal.post([signal(run.id) for run in runs])

        async def all_named() -> bool:
            woken = {id for each in received if each.topic is Topic.WAKE for id in each.ids}
            return {run.id for run in runs} <= woken

        await until(all_named)
        assert Notification(Topic.WAKE, ()) not in received


async def test_p11_work_is_found_without_any_notification(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await journal.post([signal(run.id)])

    assert len(await journal.inbox(worker, None)) == 1


async def test_a_forced_cancel_names_every_run_that_its_owner_loses(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    children = [new_child(seq) for seq in range(1, 411)]
    await commit(journal, worker, family_write(parent, children=children))
    async with listening(journal) as heard:
        await journal.force_cancel(parent.id)

        async def all_named() -> bool:
            lost = [id for each in heard if each.topic is Topic.LOST for id in each.ids]
            return sorted(lost) == sorted([parent.id, *(child.id for child in children)])

        await until(all_named)


async def worker_with_channel(
    journal: Journal,
    channel: str,
    *,
    workflows: Sequence[str] = ("orders",),
    ttl: float = 600.0,
    **facts: Any,
) -> Worker:
    """Register a worker of a node of its own, to which starts may be announced."""
    node = NodeId(channel)
    worker = await journal.register_worker(node, "run_host", 4711, ttl, channel=channel, **facts)
    await journal.renew([worker.id], ttl, NodeFacts(node, 4711, "", "up", workflows=workflows))
    return worker


async def told_to_one(journal: Journal, *workers: list[Notification]) -> Notification:
    """Return the start that exactly one of the workers receives; `workers` are what each of them received."""

    async def arrived() -> bool:
        return any(each.topic is Topic.STARTED for received in workers for each in received)

    await until(arrived)
    await journal.announce_work()
    for received in workers:
        await received_of(received, Topic.WORK)
    (told,) = [each for received in workers for each in received if each.topic is Topic.STARTED]
    return told


async def received_of(received: list[Notification], topic: Topic) -> Notification:
    """Return the first notification about a topic."""

    async def arrived() -> bool:
        return any(each.topic is topic for each in received)

    await until(arrived)
    return next(each for each in received if each.topic is topic)


async def test_a_start_is_announced_to_one_worker_alone(journal: Journal) -> None:
    for channel in ("hnorth", "hsouth"):
        await worker_with_channel(journal, channel)
    run = new_run(input=b"abc", namespace="shop", trace_context="00-trace")
    async with listening(journal, "hnorth") as north, listening(journal, "hsouth") as south:
        await journal.start([run])

        told = await told_to_one(journal, north, south)

    started_at = (await row(journal, run.id)).started_at
    assert read_announcement(told.ids[0]) == AnnouncedRun(
        run.id, "orders", "shop", b"abc", "00-trace", started_at
    )


@pytest.mark.parametrize(
    "other",
    [{"workflows": ["refunds"]}, {"namespaces": ["shop"]}, {"ttl": 0.0}],
    ids=["other code", "another namespace", "no lease"],
)
async def test_a_start_that_can_be_announced_to_nobody_notifies_all(
    journal: Journal, other: dict[str, Any]
) -> None:
    await worker_with_channel(journal, "hnorth", **other)
    async with listening(journal, "hnorth") as received:
        await begin(journal)

        await received_of(received, Topic.WORK)

        assert all(each.topic is not Topic.STARTED for each in received)


@pytest.mark.parametrize("runs", [[new_run(), new_run()], [new_run(input=bytes(8000))]], ids=["two", "long"])
async def test_several_runs_or_a_long_input_notify_all(journal: Journal, runs: Sequence[NewRun]) -> None:
    await worker_with_channel(journal, "hnorth")
    async with listening(journal, "hnorth") as received:
        await journal.start([replace(run, id=new_run().id) for run in runs])

        await received_of(received, Topic.WORK)

        assert all(each.topic is not Topic.STARTED for each in received)


async def parked_runs(journal: Journal, worker: Worker, number: int) -> list[RunId]:
    """Start runs whose owner releases them: they wait for signals."""
    runs = await owned_runs(journal, worker, number)
    await commit(journal, worker, *(write(run, event(0), transition=sleep_until(None)) for run in runs))
    return [run.id for run in runs]


async def test_mail_for_a_run_that_waits_is_announced_to_one_worker_alone(journal: Journal) -> None:
    worker = await worker_with_channel(journal, "hnorth")
    await worker_with_channel(journal, "hsouth")
    (run,) = await parked_runs(journal, worker, 1)
    async with listening(journal, "hnorth") as north, listening(journal, "hsouth") as south:
        await journal.post([signal(run)])

        told = await told_to_one(journal, north, south)

    assert [read_woken(text) for text in told.ids] == [run]


async def test_the_result_of_a_task_for_a_run_that_waits_is_announced_to_one_worker(journal: Journal) -> None:
    worker = await worker_with_channel(journal, "hnorth")
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(0), tasks=[new_task()], transition=sleep_until(None)))
    (task,) = await take_tasks(journal, worker)
    async with listening(journal, "hnorth") as received:
        await journal.complete_tasks(worker, [TaskResult(task, InboxKind.ACTIVITY_COMPLETED, (b"r",))])

        told = await received_of(received, Topic.STARTED)

    assert [read_woken(text) for text in told.ids] == [run.id]


@pytest.mark.parametrize(
    "other",
    [{"workflows": ["refunds"]}, {"namespaces": ["shop"]}, {"ttl": 0.0}],
    ids=["other code", "another namespace", "no lease"],
)
async def test_mail_that_can_be_announced_to_nobody_notifies_all(
    journal: Journal, other: dict[str, Any]
) -> None:
    await worker_with_channel(journal, "hnorth", **other)
    (run,) = await parked_runs(journal, await worker_of(journal), 1)
    async with listening(journal, "hnorth") as received:
        await journal.post([signal(run)])

        await received_of(received, Topic.WORK)

        assert all(each.topic is not Topic.STARTED for each in received)


async def test_mail_for_several_runs_notifies_all(journal: Journal) -> None:
    worker = await worker_with_channel(journal, "hnorth")
    runs = await parked_runs(journal, worker, 2)
    async with listening(journal, "hnorth") as received:
        await journal.post([signal(run) for run in runs])

        await received_of(received, Topic.WORK)

        assert all(each.topic is not Topic.STARTED for each in received)


@pytest.mark.parametrize("text", ["", "1", "1 ", "x AQ==", "1 AQ==", "-1 AZQ=", "1 %%%"])
def test_any_other_text_is_no_announcement(text: str) -> None:
    assert read_announcement(text) is None


@pytest.mark.parametrize(
    "run_id", ["", "x", "01234567-89AB-4cde-8f01-23456789abcd", "0123456789ab4cde8f0123456789abcd"]
)
def test_an_announcement_names_its_run_as_the_database_does(run_id: str) -> None:
    """By another name a host would begin its own run again, and miss that the fence refuses that."""
    text = announcement(NewRun(RunId(run_id), "orders", b"input"))
    assert text is not None
    assert read_announcement(f"1 {text}") is None
