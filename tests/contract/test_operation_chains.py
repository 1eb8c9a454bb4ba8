"""P22: an operation is about the latest run of each chain, also of one that was reset."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.port import Journal, Posted
from continuum.operations.bulk import bulk_change
from continuum.operations.bulk_preview import preview
from tests.contract.builders import begin, history
from tests.contract.operating import begun, leased, operation_of, outcomes, part
from tests.contract.test_forked_runs import forked


async def reset_of(journal: Journal, run_id: RunId) -> RunId:
    """Let an open run continue from its start as the next run of its chain, and return that."""
    run = forked(run_id, [], len(await history(journal, run_id)))
    assert await journal.fork_run(run) is Posted.ACCEPTED
    return run.id


async def test_p22_runs_that_were_reset_are_neither_counted_nor_changed(journal: Journal) -> None:
    first = await begin(journal)
    second = await reset_of(journal, first)
    await begin(journal)

    # Both ended as cancelled with their resets; the third run of the chain is open.
    for chain in (second, await reset_of(journal, second)):
        shown = await preview(journal, bulk_change("pause", "state:cancelled"))
        assert (shown.count, shown.examples) == (0, []), chain
        execution = await begun(journal, "pause", "state:cancelled")
        assert await part(journal, execution) == ("completed", 0, 0, 0, 0)
        assert await outcomes(journal, execution) == {}


async def test_a_preview_names_what_was_reset_with_the_latest_run_of_its_chain(journal: Journal) -> None:
    first = await begin(journal)
    second = await reset_of(journal, first)
    latest = await reset_of(journal, second)
    other = await begin(journal)

    shown = await preview(journal, bulk_change("restart", "state:cancelled,failed"))
    assert (shown.count, len(shown.notes)) == (0, 1)
    named = [f"{run} (its latest run is {latest})" for run in sorted((first, second))]
    start = "2 runs that the search finds too are left out: each has been restarted or reset already: "
    assert shown.notes[0] == start + ", ".join(named)

    shown = await preview(journal, bulk_change("delete", f"id:{first},{other}"))
    assert shown.count == 1
    kept = "is removed only with the latest run of its chain: it has been restarted or reset already: "
    start = f"1 run that the search finds too {kept}"
    assert shown.notes[0].startswith(start)
    for search in ("state:open", "workflow:orders continued:no", "state:completed"):
        assert (await preview(journal, bulk_change("attributes", search, attributes={"a": 1}))).notes == ()


async def test_p22_a_chain_that_was_reset_is_counted_and_changed_once(journal: Journal) -> None:
    latest = await reset_of(journal, await reset_of(journal, await begin(journal)))
    shown = await preview(journal, bulk_change("cancel", "workflow:orders"))
    assert [(shown.count, example.id) for example in shown.examples] == [(1, latest)]
    execution = await begun(journal, "cancel", "workflow:orders")
    assert await part(journal, execution) == ("completed", 1, 0, 0, 1)
    assert await outcomes(journal, execution) == {latest: ("cancel", "done")}


async def test_p22_a_fork_that_was_made_after_the_preview_is_spared(journal: Journal) -> None:
    """Though it has the time of its origin's start, which is before."""
    run = await begin(journal)
    early, late = (forked(run, [], 0, succeeds=False) for _ in range(2))
    assert await journal.fork_run(early) is Posted.ACCEPTED
    operation = await operation_of(journal, bulk_change("cancel", "workflow:orders"))
    assert await journal.fork_run(late) is Posted.ACCEPTED
    assert await journal.begin_operation(operation)

    execution = await leased(journal, operation)
    assert await part(journal, execution) == ("completed", 2, 0, 0, 2)

    assert await outcomes(journal, execution) == dict.fromkeys((run, early.id), ("cancel", "done"))
