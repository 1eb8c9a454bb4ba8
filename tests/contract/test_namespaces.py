"""Claims that are limited to namespaces: runs, due times and activity tasks of others stay."""

from __future__ import annotations

from continuum.engine.ids import NodeId
from continuum.journal.port import Journal, Loaded, NodeFacts, Refusal, RunState, Transition
from tests.contract.builders import (
    CODE,
    SOON,
    begin,
    claim,
    commit,
    new_task,
    owned_run,
    queue_tasks,
    row,
    sleep_until,
    take_tasks,
    until,
    worker_of,
    write,
)

OTHERS = (Loaded("orders", "v2", takes_others=True),)


async def test_a_claim_takes_only_runs_of_its_namespaces(journal: Journal) -> None:
    worker = await worker_of(journal)
    one, two, three = [await begin(journal, namespace=name) for name in ("one", "two", "three")]

    assert [run.id for run in await journal.claim(worker, CODE, 10, namespaces=["two"])] == [two]
    claimed = await journal.claim(worker, CODE, 10, namespaces=["three", "two"])
    assert [run.id for run in claimed] == [three]
    assert [run.id for run in await journal.claim(worker, CODE, 10, namespaces=None)] == [one]


async def test_runs_of_another_namespace_do_not_use_up_the_limit_of_a_claim(journal: Journal) -> None:
    worker = await worker_of(journal)
    for _ in range(5):
        await begin(journal, namespace="other")
    mine = await begin(journal, namespace="mine")

    assert [run.id for run in await journal.claim(worker, CODE, 1, namespaces=["mine"])] == [mine]


async def test_next_due_counts_only_runs_of_the_namespaces(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, namespace="mine")
    due = journal.now() + SOON
    await commit(journal, worker, write(run, transition=sleep_until(due)))
    await begin(journal, namespace="other")

    assert await journal.next_due(CODE, namespaces=["mine"]) == due
    assert await journal.next_due(CODE, namespaces=["neither"]) is None
    whole = await journal.next_due(CODE)
    assert whole is not None
    assert whole < due


async def test_code_that_takes_other_versions_keeps_to_its_namespaces(journal: Journal) -> None:
    worker = await worker_of(journal)
    stamped = {
        name: await owned_run(journal, worker, namespace=name) for name in ("mine", "other", "refused")
    }
    for name, run in stamped.items():
        refusal = Refusal("v3", "drift") if name == "refused" else None
        back = sleep_until(journal.now() - SOON)
        await commit(journal, worker, write(run, transition=back, refusal=refusal))

    assert await journal.next_due(OTHERS, namespaces=["neither"]) is None
    for name in ("refused", "mine"):
        assert await journal.next_due(OTHERS, namespaces=[name]) is not None
        claimed = await journal.claim(worker, OTHERS, 10, namespaces=[name])
        assert [run.id for run in claimed] == [stamped[name].id]


async def test_refused_runs_of_its_own_version_keep_to_the_namespaces(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, namespace="mine")
    back = sleep_until(journal.now() - SOON)
    await commit(journal, worker, write(run, transition=back, refusal=Refusal("v3", "drift")))

    assert await journal.next_due(CODE, namespaces=["other"]) is None
    assert await journal.claim(worker, CODE, 10, namespaces=["other"]) == []
    assert await journal.next_due(CODE, namespaces=["mine"]) is not None
    assert [each.id for each in await journal.claim(worker, CODE, 10, namespaces=["mine"])] == [run.id]


async def test_a_claim_takes_only_tasks_of_its_namespaces(journal: Journal) -> None:
    worker = await worker_of(journal)
    for name in ("other", "mine"):
        run = await owned_run(journal, worker, namespace=name)
        await queue_tasks(journal, worker, run, new_task(1, key=name))

    assert [task.key for task in await take_tasks(journal, worker, 1, namespaces=["mine"])] == ["mine"]
    assert await take_tasks(journal, worker, namespaces=["mine"]) == []
    assert [task.key for task in await take_tasks(journal, worker)] == ["other"]


async def test_nodes_are_listed_with_the_namespaces_they_claim_from(journal: Journal) -> None:
    async def listed(node: str, *registered: list[str] | None) -> list[str] | None:
        name = NodeId(node)
        for namespaces in registered:
            await journal.register_worker(name, "run_host", 1, 60.0, namespaces=namespaces)
        await journal.renew([], 60.0, NodeFacts(name, 10, "loopback:1", "up"))
        (found,) = [row for row in await journal.nodes() if row.node == node]
        return found.namespaces

    assert await listed("north", ["shop"], ["bank", "shop"]) == ["bank", "shop"]
    assert await listed("south", ["shop"], None) is None
    assert await listed("empty") is None


async def test_a_released_run_is_claimed_by_its_namespace_alone(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, namespace="mine")
    await journal.release(worker, [run.id], crashed=False, poison_after=3)

    async def is_back() -> bool:
        return bool(await journal.claim(worker, CODE, 10, namespaces=["mine"]))

    assert await journal.claim(worker, CODE, 10, namespaces=["other"]) == []
    await until(is_back)
    assert await claim(journal, worker) == []


async def test_unblocking_keeps_to_the_namespaces(journal: Journal) -> None:
    worker = await worker_of(journal)
    blocked = {name: await owned_run(journal, worker, namespace=name) for name in ("one", "two", "three")}
    for run in blocked.values():
        await commit(journal, worker, write(run, transition=Transition(RunState.BLOCKED, reason="drift")))

    async def still_blocked() -> set[str]:
        return {
            name for name, run in blocked.items() if (await row(journal, run.id)).state is RunState.BLOCKED
        }

    assert await journal.unblock(["orders"], namespaces=["four"]) == 0
    assert await journal.unblock(["orders"], [blocked["two"].id], namespaces=["one"]) == 0
    assert await journal.unblock(["orders"], namespaces=["one", "four"]) == 1
    assert await still_blocked() == {"two", "three"}
    assert await journal.unblock(["orders"], [blocked["two"].id], namespaces=["two", "three"]) == 1
    assert await journal.unblock(["orders"], namespaces=None) == 1
    assert await still_blocked() == set()


async def test_a_node_that_comes_back_for_fewer_namespaces_gives_up_tasks_of_the_others(
    journal: Journal,
) -> None:
    north, south = NodeId("north"), await worker_of(journal, node="south")
    before = await journal.register_worker(north, "run_host", 1, 60.0)
    for name in ("mine", "other"):
        run = await owned_run(journal, before, namespace=name)
        await queue_tasks(journal, before, run, new_task(1, key=name, node=north))
    again = [await journal.register_worker(north, "run_host", 1, 60.0, namespaces=["mine"]) for _ in range(2)]

    assert await take_tasks(journal, south) == []
    await journal.retire_worker(before.id, executing=None, poison_after=3)
    assert [task.key for task in await take_tasks(journal, south)] == ["other"]
    await journal.retire_worker(again[0].id, executing=None, poison_after=3)
    assert [task.key for task in await take_tasks(journal, again[1], namespaces=["mine"])] == ["mine"]
