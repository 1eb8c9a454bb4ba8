"""Attributes that a run sets with its own writes."""

from __future__ import annotations

from continuum.journal.port import Journal, RunState
from tests.contract.builders import commit, end, event, owned_run, owned_runs, query, row, worker_of, write
from tests.contract.families import continue_as_new, family_write, new_child


async def test_a_write_merges_attributes_and_can_be_queried(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, attributes={"region": "eu", "step": "new"})

    await commit(journal, worker, write(run, event(0), attributes={"step": "paid", "über": [1, None]}))

    assert (await row(journal, run.id)).attributes == {"region": "eu", "step": "paid", "über": [1, None]}
    found = await journal.query(query((("attributes", "step"), "eq", "paid")))
    assert [each.id for each in found] == [run.id]


async def test_the_last_attributes_count_also_within_a_batch(journal: Journal) -> None:
    worker = await worker_of(journal)
    one, other = await owned_runs(journal, worker, 2)

    await commit(
        journal,
        worker,
        write(one, attributes={"a": 1, "b": 1}),
        write(other, attributes={"a": "x"}),
        write(one, attributes={"b": 2}, transition=end()),
    )

    ended = await row(journal, one.id)
    assert (ended.state, ended.attributes) == (RunState.COMPLETED, {"a": 1, "b": 2})
    assert (await row(journal, other.id)).attributes == {"a": "x"}


async def test_p2_attributes_of_a_stale_owner_are_rejected(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    stale = run._replace(token=run.token + 1)

    done = await commit(journal, worker, write(stale, attributes={"a": 1}))

    assert done.rejected == {run.id}
    assert (await row(journal, run.id)).attributes == {}


async def test_children_and_successors_inherit_attributes_of_the_same_write(journal: Journal) -> None:
    worker = await worker_of(journal)
    parent = await owned_run(journal, worker, attributes={"region": "eu"})

    child = new_child()
    await commit(journal, worker, family_write(parent, children=[child], attributes={"step": "one"}))
    second = await continue_as_new(journal, worker, parent, attributes={"step": "two"})

    assert (await row(journal, child.id)).attributes == {"region": "eu", "step": "one"}
    assert (await row(journal, second.id)).attributes == {"region": "eu", "step": "two"}


async def test_attributes_are_no_published_values(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(journal, worker, write(run, attributes={"a": 1}, published=[("shown", b"1")]))

    values = await journal.read_published(run.id, ["", "a", "shown"])
    assert {name: each.value for name, each in values.items()} == {"shown": b"1"}
