"""Chains of runs that continued as new: every id of a chain acts on its latest run."""

from __future__ import annotations

from uuid import uuid4

from continuum.engine.ids import RunId
from continuum.journal.port import (
    ClosePolicy,
    InboxKind,
    Journal,
    Loaded,
    NewRun,
    Post,
    Posted,
    RunState,
    Successor,
    Worker,
)
from tests.contract.builders import (
    begin,
    claim,
    commit,
    end,
    event,
    history,
    new_run,
    new_task,
    owned_run,
    query,
    queue_tasks,
    row,
    signal,
    take_tasks,
    worker_of,
)
from tests.contract.families import (
    block,
    claimed_child,
    continue_as_new,
    family_write,
    finish,
    parent_and_child,
    suspend,
)


def cancel(run_id: RunId) -> Post:
    return Post(run_id, InboxKind.CANCEL, "", (), "cancel")


async def waiting(journal: Journal, worker: Worker) -> list[int]:
    """Return the ids of waiting mail."""
    return [mail.id for mail in await journal.inbox(worker, None)]


async def test_p16_a_successor_continues_the_same_run(journal: Journal) -> None:
    """CNT2, CNT7, B56: it inherits, and the two runs are linked."""
    worker = await worker_of(journal)
    facts = {"namespace": "shop", "attributes": {"customer": 7}, "trace_context": "00-trace"}
    first = await owned_run(journal, worker, idempotency_key="once", **facts)

    second = await continue_as_new(journal, worker, first)

    ended, goes_on = await row(journal, first.id), await row(journal, second.id)
    assert (ended.state, ended.continued_to, ended.root) == (RunState.CONTINUED, second.id, first.id)
    assert (goes_on.continued_from, goes_on.continued_to, goes_on.root) == (first.id, None, first.id)
    assert (goes_on.namespace, goes_on.attributes, goes_on.trace_context) == tuple(facts.values())
    assert (goes_on.input, second.root, second.fresh) == (b"next input", first.id, True)
    assert await history(journal, second.id) == []
    # The key belongs to the first run: a repeated start finds the chain.
    again = NewRun(RunId(str(uuid4())), "orders", b"", "shop", "once")
    assert (await journal.start([again]))[0] == (first.id, True)


async def test_a_successor_takes_the_current_version(journal: Journal) -> None:
    """CNT8, B56"""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    successor = Successor(RunId(str(uuid4())), "orders", b"")
    await commit(journal, worker, family_write(first, transition=end(), successor=successor))

    code = [Loaded("orders", "v1", current=False), Loaded("orders", "v2")]
    (second,) = await claim(journal, worker, code=code)

    assert (second.id, second.version) == (successor.id, "v2")
    assert (await row(journal, first.id)).version == "v1"


async def test_p2_p16_a_rejected_write_continues_nothing(journal: Journal) -> None:
    """CNT4: only one of two owners continues the run."""
    worker, other_worker = await worker_of(journal), await worker_of(journal)
    first = await owned_run(journal, worker)
    await journal.post([signal(first.id)])
    await journal.release(worker, [first.id], crashed=False, poison_after=3)
    await claim(journal, other_worker)
    successor = Successor(RunId(str(uuid4())), "orders", b"")

    done = await commit(journal, worker, family_write(first, transition=end(), successor=successor))

    assert done.rejected == {first.id}
    assert await journal.get_run(successor.id) is None
    assert (await row(journal, first.id)).continued_to is None
    assert len(await journal.inbox(other_worker, [first.id])) == 1


async def test_p16_unread_signals_and_cancel_requests_move_to_the_successor(journal: Journal) -> None:
    """CNT10: consumed mail stays with the predecessor, results of its commands are dropped."""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    result = Post(first.id, InboxKind.ACTIVITY_COMPLETED, "1", (b"value",), "1")
    await journal.post([signal(first.id, b"read"), result, cancel(first.id), signal(first.id, b"unread")])
    mail = await journal.inbox(worker, None)

    second = await continue_as_new(journal, worker, first, consumed=[mail[0].id])

    assert [(m.run_id, m.kind) for m in await journal.inbox(worker, None)] == [
        (second.id, InboxKind.CANCEL),
        (second.id, InboxKind.SIGNAL),
    ]
    assert (await journal.inbox(worker, None))[1].body == (b"unread",)


async def test_p16_signals_the_code_never_received_come_before_unread_mail(journal: Journal) -> None:
    """CNT10, B33: the predecessor has journaled them, so no sender would repeat them."""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    await journal.post([signal(first.id, value) for value in (b"1", b"2", b"3")])
    mail = await journal.inbox(worker, None)
    kept = Successor(RunId(str(uuid4())), "orders", b"", [("approval", b"1"), ("approval", b"2")])

    write = family_write(first, transition=end(result=None), successor=kept)
    write.consumed = [mail[0].id, mail[1].id]
    await commit(journal, worker, write)
    (second,) = await claim(journal, worker)

    assert not second.fresh
    assert [(m.run_id, m.kind, m.body) for m in await journal.inbox(worker, None)] == [
        (kept.id, InboxKind.SIGNAL, (value,)) for value in (b"1", b"2", b"3")
    ]


async def test_p16_mail_to_any_of_three_runs_goes_to_the_latest(journal: Journal) -> None:
    """CNT1, CNT12, CNT13, ARC3"""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    second = await continue_as_new(journal, worker, first)
    third = await continue_as_new(journal, worker, second)

    posts = [signal(first.id, b"1"), signal(second.id, b"2"), signal(third.id, b"3"), cancel(first.id)]
    assert await journal.post(posts) == [Posted.ACCEPTED] * 4

    mail = await journal.inbox(worker, None)
    assert {m.run_id for m in mail} == {third.id}
    assert [m.body for m in mail[:3]] == [(b"1",), (b"2",), (b"3",)]
    assert third.root == first.id
    chain = await journal.query(query(("root", "eq", first.id)))
    assert {found.id for found in chain} == {first.id, second.id, third.id}


async def test_p16_mail_wakes_a_latest_run_without_owner(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    second = await continue_as_new(journal, worker, first)
    await suspend(journal, worker, second)

    await journal.post([signal(first.id)])

    assert [run.id for run in await claim(journal, worker)] == [second.id]


async def test_p6_p16_a_delivery_id_counts_for_the_whole_chain(journal: Journal) -> None:
    """ING6: delivered through the first run, a duplicate through any of them, however long ago."""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    await journal.post([signal(first.id, key="before")])
    second = await continue_as_new(journal, worker, first, consumed=await waiting(journal, worker))

    posted = await journal.post(
        [
            signal(second.id, key="before"),
            signal(first.id, key="d"),
            signal(first.id, key="d"),
            signal(second.id, key="d"),
        ]
    )

    assert posted == [Posted.DUPLICATE, Posted.ACCEPTED, Posted.DUPLICATE, Posted.DUPLICATE]
    third = await continue_as_new(journal, worker, second, consumed=await waiting(journal, worker))
    assert await journal.post([signal(third.id, key="d")]) == [Posted.DUPLICATE]


async def test_p3_p16_nothing_is_posted_to_a_chain_whose_latest_run_has_ended(journal: Journal) -> None:
    """CAN11"""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    second = await continue_as_new(journal, worker, first)
    await finish(journal, worker, second)

    assert await journal.post([signal(first.id, key="d"), cancel(first.id)]) == [Posted.TERMINAL] * 2
    assert await journal.force_cancel(first.id) is Posted.TERMINAL


async def test_p3_results_for_a_run_that_continued_are_dropped(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    await queue_tasks(journal, worker, first, new_task())
    await continue_as_new(journal, worker, first)

    assert await take_tasks(journal, worker) == []
    result = Post(first.id, InboxKind.ACTIVITY_COMPLETED, "1", (b"value",), "1")
    assert await journal.post([result]) == [Posted.TERMINAL]


async def test_p14_p16_a_parent_waits_for_the_successor_of_its_child(journal: Journal) -> None:
    """CNT1: only the end of the latest run is the child's end."""
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    child = await claimed_child(journal, worker, parent, seq=5, policy=ClosePolicy.CANCEL)

    second = await continue_as_new(journal, worker, child)

    assert await journal.inbox(worker, [parent.id]) == []
    assert (second.parent, second.depth) == (parent.id, 1)
    await finish(journal, worker, second, result=b"value")
    assert [(m.name, m.body) for m in await journal.inbox(worker, [parent.id])] == [("5", (b"value",))]


async def test_p15_p16_the_end_of_a_parent_reaches_the_latest_run_of_its_child(journal: Journal) -> None:
    """CNT9"""
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    second = await continue_as_new(journal, worker, child)
    await commit(journal, worker, family_write(parent, cancels=[child.id]))
    await finish(journal, worker, parent, state=RunState.CANCELLED)

    assert [m.name for m in await journal.inbox(worker, [second.id])] == ["parent"]


async def test_a_successor_gets_no_result_from_the_children_it_inherits(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    child = await claimed_child(journal, worker, first)
    await continue_as_new(journal, worker, first)

    await finish(journal, worker, child)

    assert await journal.inbox(worker, None) == []


async def test_attributes_set_through_any_id_belong_to_the_latest_run(journal: Journal) -> None:
    """ATR1, ATR3"""
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    second = await continue_as_new(journal, worker, first)

    assert await journal.set_attributes(first.id, {"paid": True})

    assert (await row(journal, second.id)).attributes == {"paid": True}
    assert (await row(journal, first.id)).attributes == {}
    assert not await journal.set_attributes(new_run().id, {"paid": True})


async def test_a_blocked_latest_run_without_a_history_ends_when_the_first_run_is_cancelled(
    journal: Journal,
) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    second = await continue_as_new(journal, worker, first)
    await block(journal, worker, second)

    assert await journal.post([cancel(first.id)]) == [Posted.ACCEPTED]

    assert (await row(journal, second.id)).state is RunState.CANCELLED


async def test_p3_a_run_that_continued_takes_no_more_writes(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    await continue_as_new(journal, worker, first)

    assert (await commit(journal, worker, family_write(first, event(9)))).rejected == {first.id}


async def test_runs_of_a_chain_have_no_parent(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    await continue_as_new(journal, worker, first)
    other = await begin(journal)

    assert [found.parent for found in await journal.query(query())] == [None] * 3
    assert other in {found.id for found in await journal.query(query(("root", "eq", other)))}
