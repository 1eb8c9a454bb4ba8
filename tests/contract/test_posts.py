"""Posting into inboxes, and reading them as the owner."""

from __future__ import annotations

import asyncio

from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.port import (
    ClaimedRun,
    InboxKind,
    Journal,
    Post,
    Posted,
    RunState,
    Successor,
    Transition,
    Worker,
)
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    new_run,
    owned_run,
    owned_runs,
    retire,
    signal,
    worker_of,
    write,
)


async def test_p4_the_owner_reads_what_was_posted(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    assert await journal.post([signal(run.id, b"yes", "d1")]) == [Posted.ACCEPTED]

    (mail,) = await journal.inbox(worker, None)
    assert (mail.run_id, mail.kind, mail.name) == (run.id, InboxKind.SIGNAL, "review")
    assert (mail.body, mail.key) == ((b"yes",), "d1")


async def test_a_signal_keeps_what_it_has_beside_its_value(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    with_context = signal(run.id, b"yes")._replace(body=(b"yes", "00-trace"))

    await journal.post([with_context])

    (mail,) = await journal.inbox(worker, [run.id])
    assert (mail.kind, mail.body) == (InboxKind.SIGNAL, (b"yes", "00-trace"))


async def test_mail_is_read_in_the_order_it_was_posted(journal: Journal) -> None:
    """B5"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    for number in range(3):
        await journal.post([signal(run.id, bytes([number, first])) for first in range(3)])

    mail = await journal.inbox(worker, [run.id])

    assert [row.body[0] for row in mail] == [bytes([n, m]) for n in range(3) for m in range(3)]
    assert [row.id for row in mail] == sorted({row.id for row in mail})


async def test_an_inbox_shows_the_requested_runs_that_the_worker_owns(journal: Journal) -> None:
    """SRT8, B36"""
    worker, other = await worker_of(journal), await worker_of(journal)
    first, second = await owned_runs(journal, worker, 2)
    foreign = await owned_run(journal, other)
    free = await begin(journal)
    await journal.post([signal(run_id) for run_id in (first.id, second.id, foreign.id, free)])

    everything = [first.id, second.id, foreign.id, free]
    assert {mail.run_id for mail in await journal.inbox(worker, None)} == {first.id, second.id}
    assert [mail.run_id for mail in await journal.inbox(worker, [second.id])] == [second.id]
    assert {mail.run_id for mail in await journal.inbox(worker, everything)} == {first.id, second.id}
    assert await journal.inbox(worker, []) == []


async def test_mail_of_several_runs_is_read_in_the_order_it_was_posted(journal: Journal) -> None:
    worker = await worker_of(journal)
    first, second = await owned_runs(journal, worker, 2)
    order = [second.id, first.id, second.id, first.id]
    for run_id in order:
        await journal.post([signal(run_id)])

    assert [mail.run_id for mail in await journal.inbox(worker, None)] == order
    assert [mail.run_id for mail in await journal.inbox(worker, [first.id, second.id])] == order


async def test_a_retired_worker_reads_no_mail(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id)])
    await retire(journal, worker)

    assert await journal.inbox(worker, None) == []


async def test_p5_mail_survives_a_change_of_owner(journal: Journal) -> None:
    worker, other_worker = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id)])
    mail = await journal.inbox(worker, None)
    await retire(journal, worker)
    await claim(journal, other_worker)

    assert await journal.inbox(other_worker, None) == mail


async def test_p6_a_second_post_with_a_key_is_a_duplicate(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    posts = [signal(run.id, b"1", "d"), signal(run.id, b"2", "d")]
    assert await journal.post(posts) == [Posted.ACCEPTED, Posted.DUPLICATE]
    assert await journal.post([signal(run.id, b"3", "d")]) == [Posted.DUPLICATE]

    assert [mail.body for mail in await journal.inbox(worker, None)] == [(b"1",)]


async def test_p6_a_delivery_id_is_remembered_after_it_was_consumed(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id, key="d")])
    (mail,) = await journal.inbox(worker, None)
    await commit(journal, worker, write(run, event(1), consumed=[mail.id]))

    assert await journal.post([signal(run.id, key="d")]) == [Posted.DUPLICATE]
    assert await journal.inbox(worker, None) == []


async def test_p6_a_delivery_id_is_remembered_after_the_run_has_ended(journal: Journal) -> None:
    """C20"""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id, key="d")])
    await commit(journal, worker, write(run, transition=end()))
    await journal.sweep()

    assert await journal.post([signal(run.id, key="d")]) == [Posted.DUPLICATE]


def attempt(run_id: RunId, number: int) -> Post:
    """Return an attempt to post a signal whose key only its sender knows."""
    return signal(run_id, key="\x1fsecret")._replace(attempt=number)


async def deliver(journal: Journal, worker: Worker, run: ClaimedRun, seq: int) -> None:
    """Turn the mail of a run into history, as its owner does."""
    rows = await journal.inbox(worker, [run.id])
    events = [
        Event(
            seq + number, EventType.SIGNAL_RECEIVED, 1_700_000_000_000_000, (row.name, row.body[0], row.key)
        )
        for number, row in enumerate(rows)
    ]
    await commit(journal, worker, write(run, *events, consumed=[row.id for row in rows]))


async def test_p6_a_repeated_attempt_is_accepted_if_the_first_one_has_not_arrived(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    assert await journal.post([attempt(run.id, 2)]) == [Posted.ACCEPTED]
    assert await journal.post([attempt(run.id, 2)]) == [Posted.DUPLICATE]
    assert len(await journal.inbox(worker, None)) == 1


async def test_p6_a_repeated_attempt_is_a_duplicate_while_the_first_one_waits(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    assert await journal.post([attempt(run.id, 1)]) == [Posted.ACCEPTED]
    assert await journal.post([attempt(run.id, 2)]) == [Posted.DUPLICATE]
    assert len(await journal.inbox(worker, None)) == 1


async def test_p6_a_repeated_attempt_is_a_duplicate_after_the_first_one_was_consumed(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([signal(run.id, b"before"), attempt(run.id, 1), signal(run.id, b"after")])
    await deliver(journal, worker, run, seq=1)

    assert await journal.post([attempt(run.id, 2)]) == [Posted.DUPLICATE]
    await commit(journal, worker, write(run, transition=end()))
    assert await journal.post([attempt(run.id, 2)]) == [Posted.DUPLICATE]
    assert await journal.inbox(worker, None) == []


async def test_p6_a_first_attempt_that_comes_after_a_repeated_one_is_a_duplicate(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([attempt(run.id, 2)])
    await deliver(journal, worker, run, seq=1)

    assert await journal.post([attempt(run.id, 1)]) == [Posted.DUPLICATE]
    assert await journal.inbox(worker, None) == []


async def test_p6_a_repeated_attempt_finds_the_first_one_in_an_earlier_run_of_the_chain(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.post([attempt(run.id, 1)])
    await deliver(journal, worker, run, seq=1)
    successor = Successor(new_run().id, "orders", b"")
    await commit(journal, worker, write(run, event(2), transition=end(), successor=successor))

    assert await journal.post([attempt(run.id, 2)]) == [Posted.DUPLICATE]


async def test_p3_a_repeated_attempt_at_an_ended_run_is_terminal_if_the_first_one_has_not_arrived(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=end()))

    assert await journal.post([attempt(run.id, number) for number in (1, 2, 2)]) == [Posted.TERMINAL] * 3


async def test_p6_each_run_kind_and_name_has_its_own_keys(journal: Journal) -> None:
    first, second = await begin(journal), await begin(journal)

    posts = [
        signal(first, key="d"),
        signal(second, key="d"),
        signal(first, key="d", name="approval"),
        Post(first, InboxKind.CANCEL, "review", (), "d"),
    ]

    assert await journal.post(posts) == [Posted.ACCEPTED] * 4


async def test_posts_without_a_key_are_never_duplicates(journal: Journal) -> None:
    """B34"""
    run_id = await begin(journal)

    assert await journal.post([signal(run_id), signal(run_id)]) == [Posted.ACCEPTED] * 2


async def test_p6_a_second_cancel_request_is_a_duplicate_while_the_first_waits(journal: Journal) -> None:
    run_id = await begin(journal)
    cancel = Post(run_id, InboxKind.CANCEL, "", (), "cancel")

    assert await journal.post([cancel]) == [Posted.ACCEPTED]
    assert await journal.post([cancel]) == [Posted.DUPLICATE]


async def test_p6_one_of_several_concurrent_posts_with_one_key_is_accepted(journal: Journal) -> None:
    run_id = await begin(journal)

    outcomes = await asyncio.gather(*(journal.post([signal(run_id, key="d")]) for _ in range(8)))

    assert sorted(outcome for (outcome,) in outcomes) == [Posted.ACCEPTED] + [Posted.DUPLICATE] * 7


async def test_a_post_to_an_unknown_run_is_not_found(journal: Journal) -> None:
    """MSB5"""
    run_id = await begin(journal)

    assert await journal.post([signal(new_run().id), signal(run_id)]) == [Posted.NOT_FOUND, Posted.ACCEPTED]


async def test_p3_nothing_is_posted_to_an_ended_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=end()))

    posts = [signal(run.id), signal(run.id, key="d"), signal(run.id, key="d")]
    assert await journal.post(posts) == [Posted.TERMINAL] * 3
    assert await journal.sweep() == 0


async def test_a_blocked_run_keeps_mail_for_later(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=Transition(RunState.BLOCKED, reason="drift")))

    assert await journal.post([signal(run.id)]) == [Posted.ACCEPTED]
    assert await claim(journal, worker) == []

    await journal.unblock(["orders"])
    await claim(journal, worker)
    assert len(await journal.inbox(worker, None)) == 1


async def test_bodies_of_mail_are_read_as_they_were_posted(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    body = ("TypeError", "message", "", ("TypeError", "Exception"), None, 3, b"\x00")
    await journal.post([Post(run.id, InboxKind.ACTIVITY_RAISED, "1", body, "1")])

    (mail,) = await journal.inbox(worker, None)

    assert mail.body == body
    assert mail.kind is InboxKind.ACTIVITY_RAISED
