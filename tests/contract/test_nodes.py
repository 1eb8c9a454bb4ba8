"""Workers, their leases, and the facts that nodes report about themselves."""

from __future__ import annotations

from dataclasses import replace

from continuum.engine.ids import NodeId, WorkerId
from continuum.journal.node_code import NodeCode
from continuum.journal.port import Journal, Loaded, NodeFacts
from continuum.journal.silence import Silence
from tests.contract.builders import (
    commit,
    end,
    event,
    let_expire,
    new_run,
    new_task,
    owned_run,
    owned_runs,
    queue_tasks,
    retire,
    take_tasks,
    until,
    worker_of,
    write,
)


def facts(node: str, **changed: str) -> NodeFacts:
    """Return the facts of a node."""
    said = {"address": "loopback:1", "state": "up"} | changed
    processes = (("run_host", 11), ("activity_host", 12))
    return NodeFacts(NodeId(node), 10, said["address"], said["state"], processes)


async def test_no_worker_id_is_used_twice(journal: Journal) -> None:
    ids = []
    for _ in range(3):
        worker = await worker_of(journal)
        ids.append(worker.id)
        await retire(journal, worker)

    assert len(set(ids)) == 3


async def test_a_node_lists_its_workers(journal: Journal) -> None:
    first = await journal.register_worker(NodeId("north"), "run_host", 1, 60.0)
    second = await journal.register_worker(NodeId("north"), "run_host", 2, 60.0)
    await journal.register_worker(NodeId("south"), "run_host", 3, 60.0)
    assert (first.node, second.node) == ("north", "north")

    assert await journal.node_workers(NodeId("north")) == [(first.id, 1), (second.id, 2)]
    await retire(journal, first)
    assert await journal.node_workers(NodeId("north")) == [(second.id, 2)]
    assert await journal.node_workers(NodeId("nowhere")) == []


async def test_a_worker_whose_lease_runs_out_is_expired(journal: Journal) -> None:
    worker, kept = await worker_of(journal), await worker_of(journal)
    assert await journal.expired_workers() == []

    await let_expire(journal, worker)

    assert await journal.expired_workers() == [worker.id]
    assert (await journal.renew([kept.id], 60.0, None))[0] == {kept.id}


async def test_an_expired_lease_can_be_renewed_until_its_worker_is_retired(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await let_expire(journal, worker)

    assert (await journal.renew([worker.id], 60.0, None))[0] == {worker.id}

    assert (await commit(journal, worker, write(run, event(1)))).rejected == frozenset()


async def test_renewing_reports_which_leases_are_still_held(journal: Journal) -> None:
    """ACT28"""
    gone, kept = await worker_of(journal), await worker_of(journal)
    await retire(journal, gone)

    held, *_ = await journal.renew([gone.id, kept.id, WorkerId(10**9)], 60.0, None)

    assert held == {kept.id}


async def test_renewing_reports_when_the_next_lease_of_others_runs_out(journal: Journal) -> None:
    mine = await worker_of(journal, ttl=5.0)
    assert (await journal.renew([mine.id], 5.0, None))[1] is None

    await worker_of(journal, ttl=1000.0)
    sooner = await worker_of(journal, ttl=500.0)
    _, seconds, *_ = await journal.renew([mine.id], 5.0, None)
    assert seconds is not None
    assert 400.0 < seconds <= 500.0

    await let_expire(journal, sooner)
    _, seconds, *_ = await journal.renew([mine.id], 5.0, None)
    assert seconds is not None
    assert seconds <= 0.0


async def test_nodes_are_listed_with_their_facts_and_live_runs(journal: Journal) -> None:
    worker = await worker_of(journal, node="north")
    first, _ = await owned_runs(journal, worker, 2)
    await commit(journal, worker, write(first, transition=end()))
    await journal.renew([worker.id], 60.0, facts("north"))
    await worker_of(journal, node="east")
    await journal.renew([], 60.0, facts("east", state="draining"))

    east, north = await journal.nodes()

    assert (east.node, east.state, east.live_runs) == ("east", "draining", 0)
    assert (north.node, north.pid, north.address, north.state) == ("north", 10, "loopback:1", "up")
    assert north.live_runs == 1
    assert north.processes == [("run_host", 11), ("activity_host", 12)]
    assert 0.0 <= north.lease_age < 60.0


async def test_nodes_are_listed_with_the_attempts_that_wait_for_a_thread(journal: Journal) -> None:
    await journal.renew([], 60.0, replace(facts("north"), waiting={11: 7, 12: 0, 13: 5}))
    (north,) = await journal.nodes()
    assert (north.processes, north.waiting.get(11), north.waiting.get(12, 0)) == (
        [("run_host", 11), ("activity_host", 12)],
        7,
        0,
    )
    await journal.renew([], 60.0, facts("north"))
    assert (await journal.nodes())[0].waiting == {}


async def test_nodes_are_listed_with_what_each_of_their_processes_owns(journal: Journal) -> None:
    worker, idle = await worker_of(journal, node="north"), await worker_of(journal, node="north")
    first, second = await owned_runs(journal, worker, 2)
    await queue_tasks(journal, worker, first, new_task(1, queue="slow"), new_task(2, queue="slow"))
    await take_tasks(journal, worker)
    await commit(journal, worker, write(second, transition=end()))
    await journal.renew([worker.id, idle.id], 60.0, facts("north"))

    (north,) = await journal.nodes()

    assert [(each.runs, each.tasks) for each in north.workers] == [(1, {"slow": 2}), (0, {})]
    assert {each.role for each in north.workers} == {"run_host"}


async def test_a_node_without_a_live_worker_is_lost(journal: Journal) -> None:
    worker = await worker_of(journal, node="north")
    await journal.renew([worker.id], 60.0, facts("north"))
    assert [node.state for node in await journal.nodes()] == ["up"]

    await retire(journal, worker)

    assert [node.state for node in await journal.nodes()] == ["lost"]


async def test_the_next_renewal_tells_a_node_to_stop(journal: Journal) -> None:
    assert not (await journal.renew([], 60.0, facts("north"))).drain

    assert await journal.drain_node(NodeId("north"))

    assert (await journal.renew([], 60.0, facts("north"))).drain
    assert not (await journal.renew([], 60.0, facts("south"))).drain


async def test_a_node_that_does_not_exist_cannot_be_drained(journal: Journal) -> None:
    assert not await journal.drain_node(NodeId("north"))


async def test_any_node_may_run_tasks_that_were_bound_to_a_dead_node(journal: Journal) -> None:
    north, south = await worker_of(journal, node="north"), await worker_of(journal, node="south")
    run = await owned_run(journal, south)
    await commit(journal, south, write(run, tasks=[new_task(node=NodeId("north"))]))
    assert await take_tasks(journal, south) == []

    await retire(journal, north)

    assert len(await take_tasks(journal, south)) == 1


async def test_a_node_that_renews_again_is_listed_once_with_its_latest_facts(journal: Journal) -> None:
    await journal.renew([], 60.0, facts("north"))
    await journal.renew([], 60.0, facts("north", address="loopback:2"))

    assert [node.address for node in await journal.nodes()] == ["loopback:2"]


async def test_a_retired_node_is_not_listed(journal: Journal) -> None:
    await journal.renew([], 60.0, facts("north"))
    await journal.renew([], 60.0, facts("south"))

    await journal.retire_node(NodeId("north"))
    await journal.retire_node(NodeId("unknown"))

    assert [node.node for node in await journal.nodes()] == ["south"]


async def test_p10_the_journals_time_advances(journal: Journal) -> None:
    first = journal.now()

    async def later() -> bool:
        return journal.now() > first

    await until(later)


async def test_p10_the_journals_time_is_the_one_that_stamps_runs(journal: Journal) -> None:
    worker = await worker_of(journal)
    before = journal.now()
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(1)))

    # As exact as a round trip to the server; with a wrong epoch or time zone it would be hours off.
    assert abs(run.started_at - before) < 60_000_000


async def test_a_node_says_what_it_has_loaded_and_how_much_of_a_queue_it_runs(journal: Journal) -> None:
    worker = await worker_of(journal, "north")
    loaded = [Loaded("orders", "v1", takes_others=True)]
    code = NodeCode("1.0", loaded, ["pay"], [("slow", 2)], 256, attempts=[("pay", 3)])
    await journal.renew([worker.id], 60.0, replace(facts("north"), code=code))

    (node,) = await journal.nodes()

    assert node.code == code
    assert (code.limit_of("slow"), code.limit_of("other")) == (2, 256)


async def test_a_node_says_which_of_its_processes_hang_until_they_answer(journal: Journal) -> None:
    worker = await worker_of(journal)
    silent = {7: Silence(2.5, 15.0, new_run().id, 3), 8: Silence(4.0, None)}
    await journal.renew([worker.id], 60.0, replace(facts("north"), silent=silent))
    (node,) = await journal.nodes()
    assert node.silent == silent
    await journal.renew([worker.id], 60.0, facts("north"))
    (node,) = await journal.nodes()
    assert node.silent == {}


async def test_a_node_of_earlier_code_does_not_say_what_it_has_loaded(journal: Journal) -> None:
    worker = await worker_of(journal, "north")
    await journal.renew([worker.id], 60.0, facts("north"))

    (node,) = await journal.nodes()

    assert node.code is None
