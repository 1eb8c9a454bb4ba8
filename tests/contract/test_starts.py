"""Starting runs."""

from __future__ import annotations

import asyncio

from continuum.journal.port import Journal, RunState, Started
from tests.contract.builders import begin, end, new_run, owned_run, row, worker_of, write
from tests.contract.builders import commit as commit_writes


async def test_p4_a_started_run_has_what_it_was_started_with(journal: Journal) -> None:
    """PGJ1, PGJ4, B68"""
    run = new_run(
        input=b"\x00\xff",
        namespace="shop",
        idempotency_key="order-7",
        attributes={"region": "eu", "vip": True},
        trace_context="00-trace",
    )

    assert await journal.start([run]) == [Started(run.id, False)]

    stored = await row(journal, run.id)
    assert stored.workflow == "orders"
    assert stored.input == b"\x00\xff"
    assert stored.namespace == "shop"
    assert stored.idempotency_key == "order-7"
    assert stored.attributes == {"region": "eu", "vip": True}
    assert stored.trace_context == "00-trace"
    assert stored.state is RunState.RUNNING
    assert (stored.version, stored.owner, stored.result, stored.error, stored.reason) == (None,) * 5
    assert stored.completed_at is None
    assert stored.started_at <= stored.updated_at


async def test_an_unknown_run_is_not_found(journal: Journal) -> None:
    """PGJ2, PGJ12"""
    unknown = new_run().id

    assert await journal.get_run(unknown) is None
    assert await journal.load([unknown]) == {unknown: []}


async def test_a_run_without_events_loads_an_empty_history(journal: Journal) -> None:
    run_id = await begin(journal)

    assert await journal.load([run_id]) == {run_id: []}


async def test_a_taken_idempotency_key_returns_the_run_that_has_it(journal: Journal) -> None:
    first = await begin(journal, idempotency_key="k")
    second = new_run(idempotency_key="k")

    assert await journal.start([second]) == [Started(first, True)]
    assert await journal.get_run(second.id) is None


async def test_an_idempotency_key_stays_taken_after_its_run_has_ended(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, idempotency_key="k")
    await commit_writes(journal, worker, write(run, transition=end()))

    assert await journal.start([new_run(idempotency_key="k")]) == [Started(run.id, True)]


async def test_an_idempotency_key_is_taken_in_one_namespace_and_workflow_only(journal: Journal) -> None:
    await begin(journal, idempotency_key="k")
    others = [
        new_run(idempotency_key="k", namespace="elsewhere"),
        new_run("refunds", idempotency_key="k"),
        new_run(idempotency_key=None),
    ]

    assert await journal.start(others) == [Started(run.id, False) for run in others]


async def test_a_taken_id_returns_the_run_that_has_it(journal: Journal) -> None:
    """JCT1, B12"""
    first = new_run(input=b"first")
    await journal.start([first])

    assert await journal.start([new_run(id=first.id, input=b"second")]) == [Started(first.id, True)]
    assert (await row(journal, first.id)).input == b"first"


async def test_one_call_may_start_the_same_run_twice(journal: Journal) -> None:
    first, other = new_run(idempotency_key="k"), new_run(idempotency_key="k")
    third = new_run()

    assert await journal.start([first, other, third, third]) == [
        Started(first.id, False),
        Started(first.id, True),
        Started(third.id, False),
        Started(third.id, True),
    ]


async def test_the_first_of_several_runs_with_one_key_in_one_call_is_created(journal: Journal) -> None:
    runs = [new_run(idempotency_key="k") for _ in range(12)]
    runs.sort(key=lambda run: run.id, reverse=True)

    started = await journal.start(runs)

    assert started == [Started(runs[0].id, existing) for existing in [False] + [True] * 11]


async def test_one_of_several_concurrent_starts_with_one_key_creates_the_run(journal: Journal) -> None:
    results = await asyncio.gather(*(journal.start([new_run(idempotency_key="k")]) for _ in range(12)))

    started = [result for (result,) in results]
    assert sorted(result.existing for result in started) == [False] + [True] * 11
    assert len({result.run_id for result in started}) == 1


async def test_starting_nothing_is_allowed(journal: Journal) -> None:
    assert await journal.start([]) == []
