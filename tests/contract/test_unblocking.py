"""Which blocked runs are tried again: all that an operator names; at a node's start those of other code."""

from __future__ import annotations

import pytest

from continuum.journal.port import (
    ClaimedRun,
    Fault,
    InboxKind,
    Journal,
    Post,
    Refusal,
    RunState,
    Transition,
    Worker,
)
from tests.contract.builders import claim, commit, owned_run, row, worker_of, write

LOADED = "digest of the loaded code"
EARLIER = "digest of earlier code"
WORKFLOWS = ["orders"]


async def blocked(journal: Journal, kind: str, code: str | None) -> None:
    """Leave one blocked run."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    change = Transition(RunState.BLOCKED, reason=kind, fault=Fault(kind), code=code)
    await commit(journal, worker, write(run, transition=change))


@pytest.mark.parametrize("kind", ["drift", "input"])
@pytest.mark.parametrize(("code", "tried"), [(EARLIER, 1), (None, 1), (LOADED, 0)])
async def test_other_code_tries_again_a_run_that_code_has_blocked(
    journal: Journal, kind: str, code: str | None, tried: int
) -> None:
    await blocked(journal, kind, code)
    assert await journal.unblock(WORKFLOWS, code=LOADED) == tried


@pytest.mark.parametrize("kind", ["poison", "corrupt"])
async def test_other_code_leaves_poison_and_corrupt_runs_blocked(journal: Journal, kind: str) -> None:
    await blocked(journal, kind, EARLIER)
    assert await journal.unblock(WORKFLOWS, code=LOADED) == 0
    assert await journal.unblock(WORKFLOWS) == 1


async def tried(journal: Journal) -> tuple[Worker, ClaimedRun]:
    """Let other code claim a run that code has blocked."""
    await blocked(journal, "input", EARLIER)
    assert await journal.unblock(WORKFLOWS, code=LOADED) == 1
    worker = await worker_of(journal)
    (run,) = await claim(journal, worker)
    return worker, run


async def refuse(journal: Journal, worker: Worker, run: ClaimedRun) -> None:
    """Release a run that the code does not match."""
    back = Transition(RunState.SUSPENDED, journal.now(), release=True, code=LOADED)
    refusal = Refusal("v2", "drift: at 3", Fault("drift", 3))
    await commit(journal, worker, write(run, transition=back, refusal=refusal))


async def test_a_run_that_other_code_refuses_too_is_blocked_as_before(journal: Journal) -> None:
    worker, run = await tried(journal)

    await refuse(journal, worker, run)

    found = await row(journal, run.id)
    assert (found.state, found.reason, found.fault) == (RunState.BLOCKED, "input", Fault("input"))
    assert (found.owner, found.due_at) == (None, None)
    assert [each.version for each in await journal.refusals(run.id)] == ["v2"]
    for known in (LOADED, EARLIER):
        assert await journal.unblock(WORKFLOWS, code=known) == 0
    assert await journal.unblock(WORKFLOWS, code="third code") == 1


async def test_code_that_blocks_a_run_again_is_one_more_that_does_not_try_it(journal: Journal) -> None:
    worker, run = await tried(journal)
    change = Transition(RunState.BLOCKED, reason="other", fault=Fault("drift"), code=LOADED)

    await commit(journal, worker, write(run, transition=change))

    assert (await row(journal, run.id)).reason == "other"
    for known in (LOADED, EARLIER):
        assert await journal.unblock(WORKFLOWS, code=known) == 0


async def test_a_run_that_went_on_and_is_refused_later_waits_for_its_code(journal: Journal) -> None:
    worker, run = await tried(journal)
    await journal.release(worker, [run.id], crashed=False, poison_after=3)
    (later,) = await claim(journal, worker)

    await refuse(journal, worker, later)

    assert (await row(journal, run.id)).state is RunState.SUSPENDED


async def test_a_run_that_was_asked_to_stop_ends_when_other_code_refuses_it_too(journal: Journal) -> None:
    worker, run = await tried(journal)
    await journal.post([Post(run.id, InboxKind.CANCEL, "", (), "cancel")])

    await refuse(journal, worker, run)

    assert (await row(journal, run.id)).state is RunState.CANCELLED
