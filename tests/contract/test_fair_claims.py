"""A namespace with many runs does not keep others waiting: claims take turns."""

from __future__ import annotations

from collections import Counter

from continuum.journal.port import Journal, Loaded, RunState, Transition
from tests.contract.builders import claim, commit, new_run, owned_run, sleep_until, until, worker_of, write

BOTH = [Loaded("orders", "v1"), Loaded("refunds", "v1")]


async def is_past(journal: Journal, moment: int) -> bool:
    """Whether a moment is past on the journal's clock."""
    await journal.next_due(BOTH)
    return journal.now() > moment + 20_000


async def start_many(journal: Journal, runs: int, namespace: str, workflow: str = "orders") -> None:
    """Start runs of one namespace in one call."""
    await journal.start([new_run(namespace=namespace, workflow=workflow) for _ in range(runs)])


async def test_a_namespace_with_one_run_does_not_wait_for_one_with_many(journal: Journal) -> None:
    worker = await worker_of(journal)
    await start_many(journal, 50, "busy")
    await start_many(journal, 1, "quiet")

    claimed = await claim(journal, worker, limit=10)

    assert Counter(run.namespace for run in claimed) == {"busy": 9, "quiet": 1}


async def test_namespaces_share_a_claim(journal: Journal) -> None:
    worker = await worker_of(journal)
    for namespace in ("one", "two", "three"):
        await start_many(journal, 20, namespace)

    claimed = await claim(journal, worker, limit=12)

    assert Counter(run.namespace for run in claimed) == {"one": 4, "two": 4, "three": 4}


async def test_workflows_of_a_namespace_share_what_it_gets(journal: Journal) -> None:
    worker = await worker_of(journal)
    await start_many(journal, 20, "busy")
    await start_many(journal, 20, "busy", "refunds")
    await start_many(journal, 20, "quiet")

    claimed = await claim(journal, worker, limit=12, code=BOTH)

    assert Counter((run.namespace, run.workflow) for run in claimed) == {
        ("busy", "orders"): 3,
        ("busy", "refunds"): 3,
        ("quiet", "orders"): 6,
    }


async def test_claims_of_few_runs_reach_every_namespace_in_turn(journal: Journal) -> None:
    worker = await worker_of(journal)
    names = [f"tenant{number}" for number in range(7)]
    for name in names:
        await start_many(journal, 5, name)

    claimed = [run.namespace for _ in range(4) for run in await claim(journal, worker, limit=2)]

    assert set(claimed) == set(names)


async def test_a_group_that_waits_least_gets_places_beside_longer_waits(journal: Journal) -> None:
    worker = await worker_of(journal)
    await start_many(journal, 60, "one")
    for workflow in ("orders", "refunds"):
        await start_many(journal, 30, "busy", workflow)
    await start_many(journal, 1, "busy", "returns")
    code = [*BOTH, Loaded("returns", "v1")]

    # Half of four places are for three groups.
    claimed = [run.workflow for _ in range(14) for run in await claim(journal, worker, limit=4, code=code)]

    assert "returns" in claimed


async def test_places_that_one_namespace_leaves_go_to_others(journal: Journal) -> None:
    worker = await worker_of(journal)
    for runs, namespace in ((2, "few"), (3, "some"), (40, "many")):
        await start_many(journal, runs, namespace)

    claimed = await claim(journal, worker, limit=30)

    assert Counter(run.namespace for run in claimed) == {"few": 2, "some": 3, "many": 25}


async def test_runs_that_wake_and_runs_that_start_do_not_keep_each_other_waiting(journal: Journal) -> None:
    worker = await worker_of(journal)
    await start_many(journal, 20, "night")
    asleep = await claim(journal, worker)
    due = journal.now() + 50_000
    await commit(journal, worker, *(write(run, transition=sleep_until(due)) for run in asleep))
    await start_many(journal, 20, "day")
    await until(lambda: is_past(journal, due))

    claimed = await claim(journal, worker, limit=10)

    assert Counter(run.namespace for run in claimed) == {"night": 5, "day": 5}


async def test_runs_of_unknown_code_that_wake_keep_no_others_waiting(journal: Journal) -> None:
    worker = await worker_of(journal)
    await start_many(journal, 12, "default", "refunds")
    await start_many(journal, 2, "default")
    runs = await claim(journal, worker, code=BOTH)
    due = journal.now() + 50_000
    # Those of the unknown code wake first.
    order = sorted(runs, key=lambda run: run.workflow, reverse=True)
    writes = [write(run, transition=sleep_until(due + place)) for place, run in enumerate(order)]
    await commit(journal, worker, *writes)
    await until(lambda: is_past(journal, due))

    claimed = await claim(journal, worker, limit=2)

    assert [run.workflow for run in claimed] == ["orders", "orders"]
    assert len(await claim(journal, worker, limit=20, code=[Loaded("refunds", "v1")])) == 12


async def test_a_run_that_sleeps_again_after_mail_is_found_at_its_time(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    due = journal.now() + 50_000
    await commit(journal, worker, write(run, transition=sleep_until(due)))
    assert await journal.next_due(BOTH) == due
    await until(lambda: is_past(journal, due))

    (again,) = await claim(journal, worker)

    await commit(journal, worker, write(again, transition=Transition(RunState.RUNNING)))
    assert again.id == run.id
