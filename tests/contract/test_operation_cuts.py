"""P22 of operations that cut runs: a run is cut and passed in one transaction, also if processes die."""

from __future__ import annotations

import pytest

from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditQuery, ChangeOutcome
from continuum.journal.facts import Query, RunState
from continuum.journal.forked_run import ForkedRun, SeenHistory
from continuum.journal.operation_facts import Execution, OperationRow
from continuum.journal.port import Journal
from continuum.operations import bulk_execution
from continuum.operations.bulk import bulk_change
from continuum.operations.bulk_cuts import new_run_of
from continuum.operations.bulk_execution import execute
from continuum.operations.bulk_preview import preview
from tests.contract.builders import begin, commit, end, history, owned_run, row, worker_of, write
from tests.contract.operating import TTL, begun, leased, operation_of, outcomes


async def failed_runs(journal: Journal, number: int) -> list[RunId]:
    """Let runs fail whose code failed at once, and return their ids in order."""
    worker = await worker_of(journal)
    runs = [await owned_run(journal, worker) for _ in range(number)]
    for run in runs:
        await commit(journal, worker, write(run, transition=end(RunState.FAILED, error=b"")))
    return sorted(run.id for run in runs)


def cut(execution: Execution, run_id: RunId, events: int = 0) -> ForkedRun:
    """Return the fork that an operation makes of a failed run without events."""
    forked = Event(0, EventType.RUN_FORKED, execution.until + 1, (run_id, "fork"))
    seen = SeenHistory(RunState.FAILED, events)
    return ForkedRun(new_run_of(execution.operation, run_id), run_id, False, [], forked, "v1", seen)


async def all_runs(journal: Journal) -> list[RunId]:
    found = await journal.query(Query(None, (), ("started_at", True), 1_000, None))
    return sorted(each.id for each in found)


async def executed(journal: Journal, action: str, search: str, event: int | None) -> OperationRow:
    change = bulk_change(action, search, event=event)
    operation = await operation_of(journal, change)
    await journal.begin_operation(operation)
    return await execute(journal, operation.id, lambda _part: None)


@pytest.mark.parametrize(("action", "event"), [("restart", None), ("reset", 0), ("fork", 0)])
async def test_p22_each_run_is_cut_once_and_what_is_made_is_spared(
    journal: Journal, action: str, event: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_execution, "CUTS_PER_PART", 2)
    runs = await failed_runs(journal, 5)

    # What is made meets the search as well, some of it behind the place that is reached.
    done = await executed(journal, action, "workflow:orders", event)

    new = [new_run_of(done.id, run) for run in runs]
    assert await all_runs(journal) == sorted([*runs, *new])
    assert (done.state, done.done, done.skipped) == ("completed", 5, 0)
    for run, made in zip(runs, new, strict=True):
        (forked,) = await history(journal, made)
        assert forked.body[:2] == (run, action)
        assert (await row(journal, run)).continued_to == (None if action == "fork" else made)


async def test_p22_who_has_lost_the_lease_cuts_nothing_and_the_heir_cuts_the_rest(journal: Journal) -> None:
    first, second, third = await failed_runs(journal, 3)
    operation = await operation_of(journal, bulk_change("fork", "workflow:orders", event=0))
    await journal.begin_operation(operation)
    dead = await leased(journal, operation)
    made = cut(dead, first)
    assert await journal.fork_found(dead, first, made, ttl=TTL) == ("running", 1, 0, 0, 1)
    assert await journal.fork_found(dead, first, made, ttl=TTL) is None
    assert await journal.renew_operation(dead, 0.0) == "running"

    heir = await leased(journal, operation)

    assert await journal.fork_found(dead, second, cut(dead, second), ttl=TTL) is None
    assert await journal.choose(dead, limit=9, look=9) is None
    assert await journal.pass_to(dead, None, ttl=TTL) is None
    chosen = await journal.choose(heir, limit=9, look=9)
    assert chosen is not None
    assert [run for run, _ in chosen.runs if run != made.id] == [second, third]
    assert await journal.choose(heir, limit=1, look=9) == (
        [chosen.runs[0]],
        chosen.runs[0][1],
    )
    await journal.renew_operation(heir, 0.0)
    assert (await execute(journal, operation.id, lambda _part: None)).done == 3
    new = [new_run_of(operation.id, run) for run in (first, second, third)]
    assert await all_runs(journal) == sorted([first, second, third, *new])


async def test_a_run_that_has_changed_is_not_passed(journal: Journal) -> None:
    (run,) = await failed_runs(journal, 1)
    execution = await begun(journal, "fork", "workflow:orders", event=0)

    stale = cut(execution, run, events=7)
    assert await journal.fork_found(execution, run, stale, ttl=TTL) == ("running", 0, 0, 0, 0)

    assert await outcomes(journal, execution) == {}
    chosen = await journal.choose(execution, limit=9, look=9)
    assert chosen == ([(run, run)], None)


async def test_a_run_that_cannot_be_cut_is_skipped_with_the_reason(journal: Journal) -> None:
    (failed,) = await failed_runs(journal, 1)
    running = await begin(journal)
    change = bulk_change("restart", "workflow:orders")
    shown = await preview(journal, change)
    refused = {each.id: each.refused for each in shown.examples}
    assert refused[failed] is None
    assert "it is running, and has not failed" in (refused[running] or "")
    operation = await operation_of(journal, change)
    await journal.begin_operation(operation)

    done = await execute(journal, operation.id, lambda _part: None)

    assert done.done == 1
    ((outcome, kept, number, runs),) = done.reasons
    assert (outcome, number, runs) == ("skipped", 1, (running,))
    assert kept.replace("RUN", running) == refused[running]
    found = await journal.audited(AuditQuery(100))
    assert {each.subject: each.outcome for each in found if each.subject in refused} == {
        failed: "done",
        running: "refused",
    }
    (why,) = [each.arguments["why"] for each in found if each.subject == running]
    assert why == refused[running]


async def test_a_preview_says_what_stays_done_and_is_done_again(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    bodies: tuple[tuple[EventType, tuple[object, ...]], ...] = (
        (EventType.ACTIVITY_SCHEDULED, ("charge", "", "", b"", None)),
        (EventType.ACTIVITY_COMPLETED, (0, b"", 1)),
        (EventType.COMPENSATION_SCHEDULED, ("refund", "", "", b"", None, 0)),
        (EventType.COMPENSATION_FAILED, (2, "OSError", "no bank", "", 1)),
    )
    events = [Event(seq, type, 1, body) for seq, (type, body) in enumerate(bodies)]
    await commit(journal, worker, write(run, *events, transition=end(RunState.FAILED, error=b"")))

    shown = await preview(journal, bulk_change("reset", "workflow:orders", event=0))

    why = "charge (event 0) may stay done, for refund (event 2) did not complete: it is done again"
    assert [each.stands for each in shown.examples] == [(why,)]


async def test_a_run_that_is_removed_before_its_turn_is_skipped(journal: Journal) -> None:
    gone, other = await failed_runs(journal, 2)
    operation = await operation_of(journal, bulk_change("fork", "workflow:orders", event=0))
    await journal.begin_operation(operation)
    execution = await leased(journal, operation)
    chosen = await journal.choose(execution, limit=2, look=10)
    assert chosen is not None
    assert [run for run, _ in chosen.runs] == [gone, other]
    removal = await begun(journal, "delete", f"id:{gone}")
    await journal.execute_part(removal, limit=10, look=10, ttl=TTL)
    assert await journal.get_run(gone) is None

    refused = ChangeOutcome.REFUSED
    assert await journal.refuse_found(execution, gone, gone, refused, "it has been removed", ttl=TTL)

    found = await journal.operation(operation.id)
    assert found is not None
    assert found.reasons == (("skipped", "it has been removed", 1, (gone,)),)
