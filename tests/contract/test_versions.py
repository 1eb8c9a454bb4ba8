"""Versions of code: which runs they may claim, which they did not match, and what is registered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from continuum.engine.ids import RunId
from continuum.journal.port import (
    ClaimedRun,
    Journal,
    Loaded,
    Refusal,
    RunState,
    Transition,
    VersionRow,
    Worker,
)
from tests.contract.builders import (
    SOON,
    begin,
    claim,
    commit,
    end,
    event,
    history,
    new_run,
    owned_run,
    row,
    signal,
    sleep_until,
    until,
    worker_of,
    write,
)
from tests.contract.families import block, continue_as_new, finish

OLD = [Loaded("orders", "v1")]
NEW = [Loaded("orders", "v2", takes_others=True)]
NEWER = [Loaded("orders", "v3", takes_others=True)]
BOTH = [Loaded("orders", "v1", current=False), *NEW]
WAITS = [Loaded("orders", "v2")]


async def given_up(journal: Journal, worker: Worker, **facts: Any) -> RunId:
    """Return a run of version v1 that is due and has no owner."""
    run = await owned_run(journal, worker, **facts)
    await commit(journal, worker, write(run, event(0), transition=sleep_until(run.started_at)))
    return run.id


async def taken(journal: Journal, worker: Worker, code: Sequence[Loaded]) -> ClaimedRun:
    """Claim until a run is claimed."""
    claimed: list[ClaimedRun] = []

    async def something() -> bool:
        claimed.extend(await claim(journal, worker, code=code))
        return bool(claimed)

    await until(something)
    (run,) = claimed
    return run


async def refuse(journal: Journal, worker: Worker, run: ClaimedRun, version: str, reason: str) -> None:
    """Record that code does not match a run that is due."""
    back = Transition(RunState.SUSPENDED, run.started_at, release=True)
    await commit(journal, worker, write(run, transition=back, refusal=Refusal(version, reason)))


async def test_a_run_of_a_version_that_no_worker_has_stays_untouched(journal: Journal) -> None:
    """UNK1: it stays unchanged for a worker that has the version."""
    worker = await worker_of(journal)
    run_id = await given_up(journal, worker)
    before = await row(journal, run_id)

    assert await claim(journal, worker, code=WAITS) == []
    assert await journal.next_due(WAITS) is None

    assert await row(journal, run_id) == before
    assert [run.id for run in await claim(journal, worker, code=OLD)] == [run_id]


async def test_code_that_takes_others_leaves_a_run_to_its_own_version_first(journal: Journal) -> None:
    worker = await worker_of(journal)
    run_id = await given_up(journal, worker)
    due_at = (await row(journal, run_id)).due_at
    assert due_at is not None

    assert await journal.next_due(NEW) == due_at + 1_000_000
    assert await journal.next_due(OLD) == due_at


async def test_code_that_takes_others_claims_a_run_that_keeps_its_version(journal: Journal) -> None:
    """UNK2: existing code claims a run of a version that no longer exists."""
    worker = await worker_of(journal)
    run_id = await given_up(journal, worker)

    run = await taken(journal, worker, NEW)

    assert (run.id, run.version, run.fresh) == (run_id, "v1", False)
    await commit(journal, worker, write(run, event(1), version="v2", transition=sleep_until(run.started_at)))
    assert (await row(journal, run_id)).version == "v2"
    assert [each.id for each in await claim(journal, worker, code=WAITS)] == [run_id]


async def test_mail_lets_code_take_a_run_of_another_version(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(None)))
    assert await journal.next_due(NEW) is None
    await journal.post([signal(run.id)])

    assert (await taken(journal, worker, NEW)).id == run.id


async def test_each_run_is_claimed_with_its_own_version(journal: Journal) -> None:
    worker = await worker_of(journal)
    old = await given_up(journal, worker)
    fresh = await begin(journal)

    versions = {run.id: run.version for run in await claim(journal, worker, code=BOTH)}

    assert versions == {old: "v1", fresh: "v2"}


async def test_only_current_code_takes_runs_without_a_version(journal: Journal) -> None:
    worker = await worker_of(journal)
    await begin(journal)

    assert await claim(journal, worker, code=[Loaded("orders", "v1", current=False)]) == []
    assert await journal.next_due([Loaded("orders", "v1", current=False)]) is None
    assert len(await claim(journal, worker, code=BOTH)) == 1


async def test_a_refused_run_stays_untouched_for_other_code(journal: Journal) -> None:
    worker = await worker_of(journal)
    run_id = await given_up(journal, worker)
    before = await row(journal, run_id)

    run = await taken(journal, worker, NEW)
    await refuse(journal, worker, run, "v2", "expected ship, found pay")

    after = await row(journal, run_id)
    assert (before.refused, after.refused) == ([], ["v2"])
    assert replace(after, updated_at=before.updated_at, refused=before.refused) == before
    assert len(await history(journal, run_id)) == 1
    assert await journal.refusals(run_id) == [Refusal("v2", "expected ship, found pay")]
    assert await claim(journal, worker, code=NEW) == []
    assert await journal.next_due(NEW) is None
    assert [each.id for each in await claim(journal, worker, code=OLD)] == [run_id]


async def test_code_may_try_a_run_that_other_code_could_not_continue(journal: Journal) -> None:
    worker = await worker_of(journal)
    run_id = await given_up(journal, worker)
    await refuse(journal, worker, await taken(journal, worker, NEW), "v2", "drift")

    run = await taken(journal, worker, NEWER)
    await refuse(journal, worker, run, "v3", "drift too")

    assert await claim(journal, worker, code=[*NEW, *NEWER]) == []
    assert await journal.next_due([*NEW, *NEWER]) is None
    assert [refusal.version for refusal in await journal.refusals(run_id)] == ["v2", "v3"]
    due_at = (await row(journal, run_id)).due_at
    assert due_at is not None
    assert await journal.next_due([Loaded("orders", "v4", takes_others=True)]) == due_at + 1_000_000


async def test_a_refused_run_that_is_not_due_yet_is_listed(journal: Journal) -> None:
    worker = await worker_of(journal)
    await given_up(journal, worker)
    run = await taken(journal, worker, NEW)
    later = Transition(RunState.SUSPENDED, run.started_at + SOON, release=True)
    await commit(journal, worker, write(run, transition=later, refusal=Refusal("v2", "drift")))

    assert await journal.next_due(OLD) == run.started_at + SOON
    assert await journal.next_due(NEWER) == run.started_at + SOON + 1_000_000
    assert await journal.next_due(NEW) is None


async def test_a_refusal_does_not_reset_the_count_of_deaths(journal: Journal) -> None:
    worker = await worker_of(journal)
    run_id = await given_up(journal, worker)
    run = await taken(journal, worker, NEW)
    await journal.release(worker, [run.id], crashed=True, poison_after=2)
    run = await taken(journal, worker, NEW)
    await refuse(journal, worker, run, "v2", "drift")
    await claim(journal, worker, code=OLD)

    await journal.release(worker, [run_id], crashed=True, poison_after=2)

    assert (await row(journal, run_id)).state is RunState.BLOCKED


async def test_p2_a_rejected_refusal_is_not_recorded(journal: Journal) -> None:
    worker, other_worker = await worker_of(journal), await worker_of(journal)
    run = await owned_run(journal, worker)
    await journal.release(worker, [run.id], crashed=False, poison_after=3)
    await claim(journal, other_worker)

    await commit(journal, worker, write(run, refusal=Refusal("v2", "drift"), version="v9"))

    assert await journal.refusals(run.id) == []
    assert (await row(journal, run.id)).version == "v1"


async def test_a_run_refused_by_many_versions_still_belongs_to_its_own(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    for number in range(40):
        version = f"{number:032x}"
        await commit(journal, worker, write(run, refusal=Refusal(version, "drift")))
    await commit(journal, worker, write(run, transition=sleep_until(run.started_at)))

    last = [Loaded("orders", f"{39:032x}", takes_others=True)]
    assert await journal.next_due(last) is None
    assert len(await journal.refusals(run.id)) == 40
    assert [each.id for each in await claim(journal, worker, code=OLD)] == [run.id]


def version(name: str = "v1", label: str = "1", **facts: Any) -> VersionRow:
    return VersionRow("orders", name, label, "shop.orders", None, None)._replace(**facts)


async def test_versions_are_listed_with_their_number_of_open_runs(journal: Journal) -> None:
    worker = await worker_of(journal)
    await journal.register_versions([version(source=b"def"), version("v0", "0", signals={"review": "str"})])
    running, waiting, blocked, ended = [await owned_run(journal, worker) for _ in range(4)]
    await commit(journal, worker, write(waiting, transition=sleep_until(None)))
    await block(journal, worker, blocked)
    await finish(journal, worker, ended)
    await begin(journal)

    listed = {row.version: row for row in await journal.versions()}

    assert {name: row.open_runs for name, row in listed.items()} == {"v1": 3, "v0": 0}
    assert listed["v0"].signals == {"review": "str"}
    assert (listed["v1"].label, listed["v1"].module, listed["v1"].source) == ("1", "shop.orders", None)
    assert abs(listed["v1"].registered_at - journal.now()) < 3600 * 1_000_000
    assert running.version == "v1"


async def test_contracts_are_kept_with_their_versions(journal: Journal) -> None:
    first, second = {"input": {"type": "object"}, "b": 1, "a": 2}, {"input": {"type": "array"}}
    await journal.register_versions([version("v1", contract=first), version("v0", "0")])
    await journal.register_versions([version("v2", "2", contract=second)])
    # A node registers once more without it before it knows it.
    await journal.register_versions([version("v1")])

    rows = await journal.contracts("orders")

    assert [(row.version, row.label, row.contract) for row in rows] == [
        ("v1", "1", first),
        ("v2", "2", second),
    ]
    assert list(rows[0].contract) == ["input", "b", "a"], "a form has its fields in the order of the code"
    assert rows[0].registered_at >= rows[1].registered_at > 0
    assert [row.contract for row in await journal.versions()] == [None] * 3
    assert await journal.contracts("refunds") == []


@pytest.mark.parametrize(
    ("counted", "listed"),
    [
        (6, [("v1", 3, False), ("v2", 1, False)]),
        (5, [("v1", 2, True), ("v2", 1, False)]),
        (1, [("v1", 1, True), ("v2", 1, False)]),
    ],
)
async def test_open_runs_are_counted_up_to_an_equal_share(
    journal: Journal, counted: int, listed: list[tuple[str, int, bool]]
) -> None:
    worker = await worker_of(journal)
    for version in ("v1", "v1", "v2", "v1"):
        await begin(journal)
        await claim(journal, worker, code=[Loaded("orders", version)])

    rows = await journal.versions(counted)

    assert [(row.version, row.open_runs, row.more_open_runs) for row in rows] == listed


async def test_an_unregistered_version_that_runs_have_is_listed_too(journal: Journal) -> None:
    worker = await worker_of(journal)
    await owned_run(journal, worker)

    (unnoted,) = await journal.versions()

    assert (unnoted.version, unnoted.label, unnoted.module, unnoted.open_runs) == ("v1", "", "", 1)


async def test_a_refused_run_counts_as_open(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await refuse(journal, worker, run, "v2", "drift")

    assert [(row.version, row.open_runs) for row in await journal.versions()] == [("v1", 1)]


async def test_a_source_once_stored_stays(journal: Journal) -> None:
    await journal.register_versions([version(source=b"def", label="1")])
    await journal.register_versions([version(source=None, label="7", module="shop.moved")])
    await journal.register_versions([version(source=b"other", label="8")])

    assert await journal.version_source("orders", "v1") == b"def"
    assert await journal.version_source("orders", "v2") is None
    assert [(row.label, row.module) for row in await journal.versions()] == [("8", "shop.orders")]


async def test_versions_with_open_runs_are_not_deleted(journal: Journal) -> None:
    worker = await worker_of(journal)
    await journal.register_versions([version("v1"), version("v2"), version("v3")])
    run = await owned_run(journal, worker)

    named = [("orders", name) for name in ("v1", "v2", "v2", "unknown")]
    assert await journal.delete_versions(named) == 1
    assert [row.version for row in await journal.versions()] == ["v1", "v3"]

    await finish(journal, worker, run)
    assert await journal.delete_versions(named) == 1


async def test_the_signals_of_a_run_are_those_of_its_version(journal: Journal) -> None:
    worker = await worker_of(journal)
    first, second = {"review": {"type": "str"}}, {"review": {"type": "int"}}
    await journal.register_versions([version("v1", "1", signals=first), version("v2", "10", signals=second)])
    run = await owned_run(journal, worker)
    fresh = await begin(journal)

    assert await journal.declared_signals(run.id) == first
    # The highest label of one registration is current: 10 comes after 9 and 1.
    assert await journal.declared_signals(fresh) == second


async def test_a_run_without_a_version_takes_the_signals_registered_last(journal: Journal) -> None:
    fresh = await begin(journal)
    assert await journal.declared_signals(fresh) is None
    await journal.register_versions([version("v2", "2", signals={"new": {}})])
    await journal.register_versions([version("v1", "1", signals={"old": {}})])

    assert await journal.declared_signals(fresh) == {"old": {}}
    assert await journal.declared_signals(new_run().id) is None


async def test_p16_the_signals_of_a_chain_are_those_of_its_latest_run(journal: Journal) -> None:
    worker = await worker_of(journal)
    await journal.register_versions([version("v1", signals={"review": {}})])
    first = await owned_run(journal, worker)
    second = await continue_as_new(journal, worker, first)
    await commit(journal, worker, write(second, version="v2"))
    await journal.register_versions([version("v2", signals={"approve": {}})])

    assert await journal.declared_signals(first.id) == {"approve": {}}
    assert await journal.refusals(RunId(str(uuid4()))) == []
    await commit(journal, worker, write(second, transition=end()))
    assert await journal.declared_signals(second.id) == {"approve": {}}
