"""The latest values that runs have published, readable by any process."""

from __future__ import annotations

import asyncio

from continuum.journal.port import Journal, Topic
from tests.contract.builders import DEADLINE_S, commit, end, event, new_run, owned_run, worker_of, write
from tests.contract.families import continue_as_new


async def test_p17_a_published_value_is_what_was_committed(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    assert await journal.read_published(run.id, ["progress"]) == {}

    done = await commit(
        journal, worker, write(run, event(0), published=[("progress", b"1"), ("other", b"x")])
    )

    (published,) = (await journal.read_published(run.id, ["progress", "absent"])).values()
    assert published.value == b"1"
    assert abs(published.changed_at - done.at) < 60_000_000


async def test_p17_the_last_value_counts_also_within_a_batch(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)

    await commit(
        journal,
        worker,
        write(run, published=[("progress", b"1"), ("progress", b"2")]),
        write(run, published=[("progress", b"3")]),
    )
    assert (await journal.read_published(run.id, ["progress"]))["progress"].value == b"3"

    await commit(journal, worker, write(run, published=[("progress", b"4")]))
    assert (await journal.read_published(run.id, ["progress"]))["progress"].value == b"4"


async def test_p16_all_runs_of_a_chain_share_their_published_values(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    await commit(journal, worker, write(first, published=[("kept", b"1"), ("changed", b"1")]))
    second = await continue_as_new(journal, worker, first)
    await commit(journal, worker, write(second, published=[("changed", b"2")]))

    for run in (first, second):
        values = await journal.read_published(run.id, ["kept", "changed"])
        assert {name: each.value for name, each in values.items()} == {
            "kept": b"1",
            "changed": b"2",
        }


async def test_published_values_of_an_ended_run_stay(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, published=[("progress", b"9")], transition=end()))
    await journal.sweep()

    assert (await journal.read_published(run.id, ["progress"]))["progress"].value == b"9"
    assert await journal.read_published(new_run().id, ["progress"]) == {}


async def test_p11_a_notification_of_a_change_names_the_first_run_of_the_chain(journal: Journal) -> None:
    worker = await worker_of(journal)
    first = await owned_run(journal, worker)
    second = await continue_as_new(journal, worker, first)
    notifications = journal.notifications([Topic.PUBLISHED])
    notified = asyncio.ensure_future(anext(notifications))
    if type(journal).__name__ == "PostgresJournal":
        assert (await notified).ids == ()
        notified = asyncio.ensure_future(anext(notifications))

    await commit(journal, worker, write(second, published=[("progress", b"1")]))

    assert (await asyncio.wait_for(notified, DEADLINE_S)).ids == (first.id,)


async def test_the_names_of_published_values_are_those_of_the_chain(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    published = [("b", b"1"), ("C", b"2"), ("a", b"3")]
    await commit(journal, worker, write(run, event(0), published=published))
    assert await journal.published_names(run.id, 10) == ["C", "a", "b"]
    assert await journal.published_names(run.id, 2) == ["C", "a"]
    assert await journal.published_names(new_run().id, 10) == []
