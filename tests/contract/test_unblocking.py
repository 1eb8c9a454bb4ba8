"""Which blocked runs are tried again: all that an operator names; at a node's start those of other code."""

from __future__ import annotations

import pytest

from continuum.journal.port import Fault, Journal, RunState, Transition
from tests.contract.builders import commit, owned_run, worker_of, write

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
