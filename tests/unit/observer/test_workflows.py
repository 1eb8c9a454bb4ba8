"""The pages of workflows and of versions: figures, open runs, pauses, and what may be removed."""

from __future__ import annotations

from dataclasses import replace

from continuum import Client
from continuum.engine.ids import NodeId
from continuum.journal.audit_facts import AuditQuery
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.node_code import NodeCode
from continuum.journal.port import Loaded, NodeFacts, RunState, Transition, VersionRow
from continuum.journal.wait import Wait
from continuum.operations.version_use import version_uses
from continuum.telemetry.tallies import Tally
from tests.contract.builders import commit, owned_run, worker_of, write
from tests.unit.observer.served import form_token, observed

OLD = VersionRow("orders", "v0", "1", "shop", None, None)
NEW = VersionRow("orders", "v1", "2", "shop", None, None)
CODE = NodeCode("1.0", [Loaded("orders", "v1")], ["send"])
NORTH = NodeFacts(NodeId("north"), 10, "loopback:1", "up", [], ["orders"], code=CODE)
COUNTED = [
    Tally("run.started", "orders", "", 5),
    Tally("run.ended", "orders", "failed", 2),
    Tally("run.duration", "orders", "", 2, 0.2, (0, 2)),
    Tally("run.started", "bills", "", 9),
    Tally("activity.duration", "send", "timed_out", 3, 0.3, (3,)),
]


async def shop() -> MemoryJournal:
    """Return a journal with one open run of the newer of two versions, and a node that has it."""
    journal = MemoryJournal()
    await journal.register_versions([OLD])
    await journal.register_versions([NEW])
    worker = await worker_of(journal)
    await journal.renew([worker.id], 600.0, NORTH, counted=COUNTED)
    run = await owned_run(journal, worker)
    waits = [Wait("signal", -1, "approve", journal.now())]
    await commit(journal, worker, write(run, transition=Transition(RunState.SUSPENDED, waits=waits)))
    return journal


async def test_workflows_show_their_last_hour() -> None:
    async with observed(Client(await shop())) as caller:
        page = (await caller.get("/workflows")).text
        record = (await caller.get("/api/v1/workflows")).json()
    found = {each["name"]: each for each in record["workflows"]["value"]}
    assert (found["orders"]["open_runs"], found["orders"]["hour"]["failed"]) == (1, 2)
    assert found["bills"]["hour"]["started"] == 9
    assert "3 timed out" in page


async def test_a_workflow_shows_its_own_figures_alone() -> None:
    async with observed(Client(await shop())) as caller:
        page = (await caller.get("/workflows/orders")).text
        other = (await caller.get("/workflows/none")).text
        rates = (await caller.get("/api/v1/workflows/orders")).json()["rates"]["value"]
    assert sum(rates["started"]) == 5
    assert "q=waits%3Asignal%3Aapprove+workflow%3Aorders" in page
    assert "No version is known" in other


async def test_a_workflow_is_paused_and_resumed() -> None:
    journal = await shop()
    async with observed(Client(journal)) as caller:
        form = {
            "form": form_token((await caller.get("/workflows/orders")).text),
            "kind": "workflow",
            "name": "orders",
            "back": "/workflows/orders",
        }
        page = (await caller.post("/actions/pause_together", data=form, follow_redirects=True)).text
        assert "Resume" in page
        assert len(await journal.pauses(10)) == 1
        await caller.post("/actions/resume_together", data=form)
    assert await journal.pauses(10) == []


async def test_versions_say_who_continues_them_and_which_nothing_needs() -> None:
    journal = await shop()
    new, old = version_uses(await journal.versions(), await journal.nodes())
    assert (new.version, new.latest, new.removable, new.loaded_by) == ("v1", True, False, ["north"])
    assert (old.version, old.latest, old.removable, old.loaded_by) == ("v0", False, True, [])


async def test_code_that_takes_other_versions_may_continue_them() -> None:
    journal = await shop()
    others = replace(NORTH, code=CODE._replace(loaded=[Loaded("orders", "v1", takes_others=True)]))
    await journal.renew([], 600.0, others)
    _, old = version_uses(await journal.versions(), await journal.nodes())
    assert (old.loaded_by, old.tried_by) == ([], ["north"])


async def test_versions_that_nothing_needs_are_removed_once_their_number_is_typed() -> None:
    journal = await shop()
    async with observed(Client(journal)) as caller:
        page = (await caller.get("/versions")).text
        form = {"form": form_token(page), "count": "1"}
        refused = await caller.post("/actions/delete_versions", data={**form, "confirm": "2"})
        assert refused.status_code == 400
        forged = {**form, "count": "2", "confirm": "2"}
        other = await caller.post("/actions/delete_versions", data=forged, follow_redirects=True)
        assert "nothing was removed" in other.text
        assert len(await journal.versions()) == 2

        done = await caller.post(
            "/actions/delete_versions", data={**form, "confirm": "1"}, follow_redirects=True
        )
    assert "1 version removed" in done.text
    assert [row.version for row in await journal.versions()] == ["v1"]
    assert [row.actor for row in await journal.audited(AuditQuery(10))] == ["ada"]
