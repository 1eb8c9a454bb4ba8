"""Children: started with their parent's write, and reported to it when they end."""

from __future__ import annotations

import pytest

from continuum.journal.event_codec import pack_body
from continuum.journal.port import (
    ClosePolicy,
    InboxKind,
    Journal,
    RunState,
    Transition,
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
    retire,
    row,
    take_tasks,
    until,
    worker_of,
    write,
)
from tests.contract.families import (
    block,
    claimed_child,
    family_write,
    finish,
    new_child,
    parent_and_child,
    suspend,
)


async def test_p14_a_child_exists_with_the_write_that_starts_it(journal: Journal) -> None:
    """CHD1, CNT7: it runs in its parent's namespace, with its attributes and trace context."""
    worker = await worker_of(journal)
    facts = {"namespace": "shop", "attributes": {"customer": 7}, "trace_context": "00-trace"}
    parent = await owned_run(journal, worker, **facts)
    child = new_child(3)

    await commit(journal, worker, write(parent, event(0), children=[child]))

    found = await row(journal, child.id)
    assert (found.workflow, found.input, found.state) == ("orders", b"child input", RunState.RUNNING)
    assert (found.namespace, found.attributes, found.trace_context) == tuple(facts.values())
    assert (found.parent, found.root, found.version) == (parent.id, child.id, None)
    (claimed,) = await claim(journal, worker)
    assert (claimed.id, claimed.parent, claimed.depth, claimed.root) == (child.id, parent.id, 1, child.id)
    assert claimed.fresh


async def test_a_run_started_from_outside_has_no_parent(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    assert (run.parent, run.depth, run.root) == (None, 0, run.id)
    assert (await row(journal, run.id)).root == run.id


async def test_p14_a_repeated_write_starts_no_second_child(journal: Journal) -> None:
    """CHD8: an existing child stays unchanged."""
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    child = new_child()
    await commit(journal, worker, write(parent, children=[child]))
    (claimed,) = await claim(journal, worker)
    await commit(journal, worker, family_write(claimed, event(0)))

    await commit(journal, worker, write(parent, children=[child._replace(input=b"other")]))

    assert (await row(journal, child.id)).input == b"child input"
    assert len(await history(journal, child.id)) == 1
    assert await claim(journal, worker) == []


async def test_p2_p14_a_rejected_write_starts_no_child(journal: Journal) -> None:
    worker, other_worker = await worker_of(journal), await worker_of(journal)
    parent = await owned_run(journal, worker)
    other = await owned_run(journal, worker)
    await journal.release(worker, [parent.id], crashed=False, poison_after=3)
    await claim(journal, other_worker)
    lost, kept = new_child(), new_child()

    done = await commit(
        journal,
        worker,
        write(parent, children=[lost], published=[("a", b"1")]),
        write(other, children=[kept]),
    )

    assert done.rejected == {parent.id}
    assert await journal.get_run(lost.id) is None
    assert (await row(journal, kept.id)).parent == other.id
    assert await journal.read_published(parent.id, ["a"]) == {}


@pytest.mark.parametrize(
    ("ends", "kind", "body"),
    [
        (end(result=b"value"), InboxKind.CHILD_COMPLETED, (b"value",)),
        (
            end(RunState.FAILED, error=pack_body(("ValueError", "no", "trace"))),
            InboxKind.CHILD_FAILED,
            ("ValueError", "no", "trace"),
        ),
        (end(RunState.CANCELLED, reason="asked"), InboxKind.CHILD_CANCELLED, ()),
    ],
)
async def test_p14_a_childs_end_reaches_the_owner_of_its_parent(
    journal: Journal, ends: Transition, kind: InboxKind, body: tuple[object, ...]
) -> None:
    """CHD1"""
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    child = await claimed_child(journal, worker, parent, seq=4)

    await commit(journal, worker, family_write(child, transition=ends))

    (mail,) = await journal.inbox(worker, [parent.id])
    assert (mail.kind, mail.name, mail.body) == (kind, "4", body)
    assert (await row(journal, child.id)).reason == ends.reason


async def test_p14_a_childs_end_wakes_a_parent_without_owner(journal: Journal) -> None:
    """CHD1"""
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await suspend(journal, worker, parent)
    assert await claim(journal, worker) == []

    await finish(journal, worker, child, result=b"value")

    (again,) = await claim(journal, worker)
    assert again.id == parent.id
    assert [mail.body for mail in await journal.inbox(worker, None)] == [(b"value",)]


async def test_p14_a_blocked_parent_keeps_the_mail_from_its_child(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await block(journal, worker, parent)

    await finish(journal, worker, child)

    assert await claim(journal, worker) == []
    await journal.unblock(["orders"])
    await claim(journal, worker)
    assert [mail.kind for mail in await journal.inbox(worker, None)] == [InboxKind.CHILD_COMPLETED]


async def test_p3_an_ended_parent_gets_no_mail_from_its_child(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker, ClosePolicy.ABANDON)
    await finish(journal, worker, parent)
    await finish(journal, worker, child)

    assert await journal.sweep() == 0


async def test_p14_a_parent_and_a_child_may_end_in_one_batch(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)

    done = await commit(
        journal, worker, family_write(child, transition=end()), family_write(parent, transition=end())
    )

    assert done.rejected == frozenset()
    assert (await row(journal, parent.id)).state is RunState.COMPLETED
    assert (await row(journal, child.id)).state is RunState.COMPLETED


async def test_p12_p14_a_repeated_batch_reports_to_the_parent_once(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    writes = [family_write(child, transition=end(), published=[("a", b"1")])]
    batch = 3 * 10**9

    first = await journal.commit(worker, batch, writes)
    value = (await journal.read_published(child.id, ["a"]))["a"]
    assert (await journal.commit(worker, batch, writes)).rejected == first.rejected == frozenset()

    assert len(await journal.inbox(worker, [parent.id])) == 1
    assert (await journal.read_published(child.id, ["a"]))["a"] == value


async def test_p1_a_rejected_end_of_a_child_is_not_reported_to_its_parent(journal: Journal) -> None:
    worker, other_worker = await worker_of(journal), await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await journal.release(worker, [child.id], crashed=False, poison_after=3)
    await claim(journal, other_worker)

    done = await commit(journal, worker, family_write(child, transition=end()))

    assert done.rejected == {child.id}
    assert await journal.inbox(worker, [parent.id]) == []


async def test_p14_a_child_outlives_the_worker_of_its_parent(journal: Journal) -> None:
    worker, other_worker = await worker_of(journal), await worker_of(journal)
    parent = await owned_run(journal, worker)
    await commit(journal, worker, write(parent, children=[new_child()]))
    (child,) = await claim(journal, other_worker)
    await retire(journal, worker)

    await finish(journal, other_worker, child)

    assert [run.id for run in await claim(journal, other_worker)] == [parent.id]
    assert len(await journal.inbox(other_worker, None)) == 1


async def test_children_of_children_count_their_depth(journal: Journal) -> None:
    """CHD2: the depth can be limited."""
    worker = await worker_of(journal)
    _, child = await parent_and_child(journal, worker)
    grandchild = await claimed_child(journal, worker, child)

    assert (grandchild.depth, grandchild.parent) == (2, child.id)


async def test_a_child_waits_for_the_current_code(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    await commit(journal, worker, write(parent, children=[new_child(workflow="refunds")]))

    assert await claim(journal, worker) == []


async def test_runs_are_found_by_their_parent_and_by_their_chain(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await begin(journal)

    assert [found.id for found in await journal.query(query(("parent", "eq", parent.id)))] == [child.id]
    assert [found.id for found in await journal.query(query(("root", "eq", child.id)))] == [child.id]
    assert await journal.query(query(("parent", "eq", new_run().id))) == []


async def test_an_ended_childs_tasks_are_removed_and_its_parents_stay(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent, child = await parent_and_child(journal, worker)
    await commit(
        journal, worker, family_write(parent, tasks=[new_task()]), family_write(child, tasks=[new_task()])
    )

    await finish(journal, worker, child)

    assert [task.run_id for task in await take_tasks(journal, worker)] == [parent.id]


async def test_a_thousand_children_all_report_to_their_parent(journal: Journal) -> None:
    """CHD1: even with as many children as a large fan-out, each end reaches its parent and no other run."""
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker)
    children = [new_child(seq) for seq in range(1000)]
    await commit(journal, worker, write(parent, children=children))
    claimed = await claim(journal, worker, 2000)
    assert len(claimed) == 1000

    for first in range(0, 1000, 100):
        batch = claimed[first : first + 100]
        await commit(journal, worker, *(family_write(run, transition=end(result=b"v")) for run in batch))

    async def all_reported() -> bool:
        return len(await journal.inbox(worker, [parent.id])) == 1000

    await until(all_reported)
    names = {mail.name for mail in await journal.inbox(worker, [parent.id])}
    assert names == {str(seq) for seq in range(1000)}
