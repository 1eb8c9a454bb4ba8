"""The overview: what there is to do, how runs come and go, and what each part says without anything."""

from __future__ import annotations

from continuum import Client
from continuum.engine.ids import NodeId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Loaded, NodeFacts, RunState, Transition
from continuum.journal.wait import Wait
from continuum.telemetry.tallies import Tally
from tests.contract.builders import begin, claim, commit, worker_of, write
from tests.unit.observer.served import observed

NORTH = NodeFacts(NodeId("north"), 10, "loopback:1", "up")
CODE = [Loaded("orders", "v1")]


async def test_an_empty_database_is_well_and_says_what_would_be_here() -> None:
    async with observed() as caller:
        page = (await caller.get("/")).text
    assert "All is well." in page
    assert "No figures of the last hour" in page
    assert "No run waits" in page


async def test_waits_lead_to_the_runs_that_wait() -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    await begin(journal)
    (run,) = await claim(journal, worker, code=CODE)
    waits = [Wait("signal", -1, "approve <b>", journal.now())]
    await commit(journal, worker, write(run, transition=Transition(RunState.SUSPENDED, waits=waits)))

    async with observed(Client(journal)) as caller:
        page = (await caller.get("/")).text
        assert "approve &lt;b&gt;" in page
        link = page.partition('href="/runs?q=waits')[2].partition('"')[0]
        found = (await caller.get(f"/runs?q=waits{link}".replace("&amp;", "&"))).text
    assert run.id in found


async def test_rates_are_those_that_nodes_have_counted() -> None:
    journal = MemoryJournal()
    counted = [Tally("run.started", "orders", "", 3), Tally("run.ended", "orders", "failed", 2)]
    await journal.renew([], 600.0, NORTH, counted=counted)

    async with observed(Client(journal)) as caller:
        page = (await caller.get("/")).text
        rates = (await caller.get("/api/v1")).json()["rates"]["value"]
    assert "Failed runs a minute. 2 since" in page
    assert (sum(rates["started"]), sum(rates["failed"])) == (3, 2)
