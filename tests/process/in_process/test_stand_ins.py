"""A node whose children are left out: what it then does not do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from continuum import Client
from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import ClaimedRun, ClaimedTask, Loaded, Worker
from continuum.settings.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_actors.activity.stand_ins import NoActivities
from continuum_actors.host.host import Activities, Claims, Host, Router, Runs, Snapshots, Tasks, Wheel
from continuum_actors.node.in_process_node import InProcessNode, Leftovers, NodeParts
from continuum_actors.node.recovery import GRACE_SECONDS
from continuum_actors.run.stand_ins import NoRouter, NoRuns, NoWheel
from continuum_actors.stand_ins import NoActivityDispatcher, NoDispatcher, NoSnapshotter
from continuum_actors.tree import STAND_INS
from continuum_supervision import ChildSpec, Shutdown, Supervisor
from tests.process.in_process import flows
from tests.process.in_process.hosts import DEADLINE_S, WORKFLOWS, until


class RecordingJournal(MemoryJournal):
    """Records which node called what."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: set[tuple[str, str]] = set()

    def calls_of(self, node: str) -> set[str]:
        """Return what this node has called."""
        return {call for caller, call in self.calls if caller == node}

    async def claim(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        self.calls.add((worker.node, "runs"))
        return await super().claim(worker, code, limit, namespaces=namespaces)

    async def claim_tasks(self, worker: Worker, *args: object, **options: object) -> list[ClaimedTask]:
        self.calls.add((worker.node, "tasks"))
        return await super().claim_tasks(worker, *args, **options)  # type: ignore[arg-type]

    async def expired_workers(self) -> list[WorkerId]:
        self.calls.add(("anybody", "expired"))
        return await super().expired_workers()

    async def take_snapshot(self, run_id: RunId, *args: object) -> int:
        self.calls.add(("anybody", "snapshot"))
        return await super().take_snapshot(run_id, *args)  # type: ignore[arg-type]


def node(journal: RecordingJournal, name: str, without: set[str]) -> ChildSpec:
    """Return the spec of a node of this name on the journal."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[RecordingJournal]:
        yield journal

    def start() -> InProcessNode:
        settings = Settings(lease_ttl=1.0, snapshot_events=1)
        left_out = frozenset(without)
        code = Code(WORKFLOWS)
        parts = NodeParts(NodeId(name), lambda _: False, code, settings, opening, left_out, Leftovers())
        return InProcessNode(parts)

    return ChildSpec(name, start, shutdown=Shutdown.INFINITY)


@pytest.mark.parametrize(
    ("left_out", "claims"), [("dispatcher", {"tasks"}), ("activity_dispatcher", {"runs"})]
)
async def test_a_node_without_one_of_its_claimers_never_claims(left_out: str, claims: set[str]) -> None:
    journal = RecordingJournal()
    nodes = [node(journal, "partial", {left_out}), node(journal, "whole", set())]
    async with Supervisor(nodes), Client(journal) as client:
        run = await client.start(flows.packing, "a book")
        assert await run.result(DEADLINE_S) == "packed, a book"
    assert journal.calls_of("partial") == claims
    assert journal.calls_of("whole") == {"runs", "tasks"}


async def test_a_node_without_a_dispatcher_lists_no_workflow() -> None:
    journal = RecordingJournal()
    async with Supervisor([node(journal, "partial", {"dispatcher"})]), Client(journal) as client:

        async def is_listed() -> bool:
            return bool(await client.nodes())

        await until(is_listed, "the node is not listed")
        assert (await client.nodes())[0].workflows == []


@pytest.mark.parametrize(("without", "taken"), [(set(), True), ({"snapshotter"}, False)])
async def test_a_node_takes_snapshots_unless_the_snapshotter_is_left_out(
    without: set[str], taken: bool
) -> None:
    journal = RecordingJournal()
    async with Supervisor([node(journal, "only", without)]), Client(journal) as client:
        for _ in range(3):
            run = await client.start(flows.order, 1)
            await run.signal(flows.go, "yes")
            assert await run.result(DEADLINE_S) == flows.shipped(1)
    assert (("anybody", "snapshot") in journal.calls) is taken


async def test_a_node_without_recovery_releases_nothing_of_dead_workers() -> None:
    journal = RecordingJournal()
    await journal.register_worker(NodeId("dead"), "run_host", 1, 0.0)
    async with Supervisor([node(journal, "idle", {"recovery"})]), Client(journal) as client:
        # Longer than a recovery would wait for the owner.
        run = await client.start(flows.resting, GRACE_SECONDS + 0.5)
        await run.result(DEADLINE_S)
        assert "expired" not in journal.calls_of("anybody")
        assert await journal.node_workers(NodeId("dead"))


async def test_a_node_with_recovery_releases_what_dead_workers_held() -> None:
    journal = RecordingJournal()
    await journal.register_worker(NodeId("dead"), "run_host", 1, 0.0)
    async with Supervisor([node(journal, "busy", set())]):

        async def is_released() -> bool:
            return not await journal.node_workers(NodeId("dead"))

        await until(is_released, "the dead worker still has a lease")


def test_each_stand_in_fulfils_the_contract_of_what_it_stands_for() -> None:
    """The type checker compares them here; the table of the tree names attributes as text."""
    activities: Activities = NoActivities()
    runs: Runs = NoRuns()
    wheel: Wheel = NoWheel()
    router: Router = NoRouter()
    tasks: Tasks = NoActivityDispatcher()
    dispatcher: Claims = NoDispatcher()
    snapshotter: Snapshots = NoSnapshotter()
    compared = {
        "activities": activities,
        "runs": runs,
        "wheel": wheel,
        "router": router,
        "tasks": tasks,
        "dispatcher": dispatcher,
        "snapshotter": snapshotter,
    }
    assert {name: type(part) for name, part in compared.items()} == dict(STAND_INS.values())
    assert compared.keys() <= set(Host.__annotations__)
