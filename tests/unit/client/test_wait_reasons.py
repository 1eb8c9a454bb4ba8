"""What a run waits for if no node executes it: a node that serves its namespace, or one that has its code."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from continuum import Client
from continuum.client.wait_reasons import WAITS_FOR_A_NODE, Present, reason_of
from continuum.engine.ids import NodeId
from continuum.journal.facts import NodeFacts, NodeRow, RunState
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.node_code import NodeCode
from continuum.journal.version_facts import Loaded
from tests.contract.builders import commit, owned_run, sleep_until, worker_of, write
from tests.unit.client.working import Ending, greeting
from tests.unit.operations.test_explained import NORTH, NOW, row

UNSERVED = "waits for a node: no node serves namespace us"


class Counting(MemoryJournal):
    """Counts the reads of its nodes."""

    reads = 0

    async def nodes(self) -> list[NodeRow]:
        self.reads += 1
        return await super().nodes()


async def serve(journal: MemoryJournal, *namespaces: str) -> None:
    """Register a node that serves these namespaces."""
    node = NodeId("north")
    await journal.register_worker(node, "run_host", 7, 60.0, namespaces=namespaces)
    await journal.renew([], 60.0, NodeFacts(node, 7, "local", "up"))


def test_every_call_says_that_no_node_serves_the_namespace_of_a_run() -> None:
    async def main() -> None:
        journal = Counting()
        await serve(journal, "eu")
        async with Client(journal) as client:
            run = await client.start(greeting, "ann", namespace="us")
            assert (await run.get()).reason == UNSERVED
            (listed,) = (await client.query(namespace="us")).entries
            assert listed.reason == UNSERVED
            with pytest.raises(TimeoutError, match=f"it {UNSERVED}, ask again later"):
                await run.result(timeout=0)

    asyncio.run(main())


def test_a_page_reads_the_nodes_once_and_only_if_a_run_waits_for_one() -> None:
    async def main() -> None:
        journal = Counting()
        await serve(journal, "eu")
        async with Client(journal) as client:
            for namespace in ("us", "us", "eu"):
                await client.start(greeting, "ann", namespace=namespace)
            page = await client.query(namespace=None)
            assert journal.reads == 1
            missing_code = "waits for a node that has loaded greeting"
            assert [run.reason for run in page.entries] == [missing_code, UNSERVED, UNSERVED]
            await Ending(journal).claim()
            assert [run.reason for run in (await client.query(namespace=None)).entries] == [None] * 3
            assert journal.reads == 1

    asyncio.run(main())


def test_i12_a_reason_goes_by_the_clock_of_the_database() -> None:
    """The machine of this client is decades ahead of the database."""

    async def main() -> None:
        now = 1_000_000_000_000_000
        journal = MemoryJournal(lambda: now)
        async with Client(journal) as client:
            worker = await worker_of(journal)
            run = await owned_run(journal, worker)
            await commit(journal, worker, write(run, transition=sleep_until(now + 60_000_000)))
            found = await client.get_run(run.id)
            assert found.reason == "waits until 2001-09-09T01:47:40+00:00, or for a signal"

    asyncio.run(main())


def test_a_run_that_is_due_waits_for_a_node_only_if_no_running_one_may_execute_it() -> None:
    def reason(*loaded: Loaded, run: RunState = RunState.SUSPENDED, **facts: Any) -> str:
        due = row(run, owner=None, owner_node=None, owner_pid=None, due_at=NOW - 1)
        node = replace(NORTH, code=NodeCode("1", loaded, []), **facts)
        found = reason_of(due, Present(NOW, [node]))
        assert found is not None
        return found

    same, other = Loaded("pay", "v1"), Loaded("pay", "v2")
    soon = "is due, and a node that has its code claims it as soon as it has room"
    assert reason(same) == reason(other, same, run=RunState.RUNNING) == soon
    taken = reason(other._replace(takes_others=True))
    assert taken == "is due, and a node that has another version of pay may claim it"
    missing = f"{WAITS_FOR_A_NODE} that has loaded pay version v1"
    assert reason(other) == reason() == reason(Loaded("pack", "v1")) == missing
    assert reason(same, workflows=[]) == missing
    for silent in ({"state": "lost"}, {"state": "draining"}, {"lease_age": 20.0}):
        assert reason(same, **silent) == missing
    assert reason(same, namespaces=["eu"]) == f"{WAITS_FOR_A_NODE}: no node serves namespace default"
