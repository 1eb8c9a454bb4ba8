"""The page of queues: what waits, who runs it, and pauses of everything."""

from __future__ import annotations

from continuum import Client
from continuum.engine.ids import NodeId
from continuum.journal.audit_facts import AuditQuery
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.node_code import NodeCode
from continuum.journal.port import NodeFacts
from continuum.observer.visitor import Role, Visitor
from tests.contract.builders import new_task, owned_run, queue_tasks, take_tasks, worker_of
from tests.unit.observer.served import form_token, observed

CODE = NodeCode("1.0", [], ["send"], [("mail", 4)], 8)
NORTH = NodeFacts(NodeId("north"), 10, "loopback:1", "up", code=CODE)


async def with_tasks() -> MemoryJournal:
    """Return a journal with a queue of three tasks, one of them claimed."""
    journal = MemoryJournal()
    worker = await worker_of(journal)
    await journal.renew([worker.id], 600.0, NORTH)
    run = await owned_run(journal, worker)
    await queue_tasks(journal, worker, run, new_task(1), new_task(2), new_task(3))
    await take_tasks(journal, worker, limit=1)
    return journal


async def test_a_queue_shows_what_waits_and_where_it_runs() -> None:
    async with observed(Client(await with_tasks())) as caller:
        queue = (await caller.get("/api/v1/queues")).json()["queues"]["value"][0]
        page = (await caller.get("/queues")).text
    assert (queue["name"], queue["load"]["waiting"], queue["load"]["claimed"]) == ("mail", 2, 1)
    assert queue["shares"] == [{"node": "north", "running": 1, "limit": 4}]
    assert "1 of 4" in page


async def test_an_operator_pauses_and_resumes_a_queue_on_record() -> None:
    journal = await with_tasks()
    async with observed(Client(journal)) as caller:
        form = {"form": form_token((await caller.get("/queues")).text), "kind": "queue", "name": "mail"}
        paused = await caller.post("/actions/pause_together", data=form, follow_redirects=True)
        assert "queue mail is paused" in paused.text
        (pause,) = await journal.pauses(10)
        assert pause.by == "ada"
        resumed = await caller.post("/actions/resume_together", data=form, follow_redirects=True)
        assert "queue mail continues" in resumed.text
    assert await journal.pauses(10) == []
    assert {(row.actor, row.via) for row in await journal.audited(AuditQuery(10))} == {("ada", "web")}


async def test_a_viewer_has_no_buttons_and_pauses_nothing() -> None:
    journal = await with_tasks()
    async with observed(Client(journal), Visitor("vera", Role.VIEWER)) as caller:
        page = (await caller.get("/queues")).text
        form = {"form": form_token(page), "kind": "queue", "name": "mail"}
        answer = await caller.post("/actions/pause_together", data=form)
    assert "pause_together" not in page
    assert answer.status_code == 403
    assert await journal.pauses(10) == []


async def test_an_empty_page_teaches_how_queues_are_made() -> None:
    async with observed() as caller:
        page = (await caller.get("/queues")).text
    assert "No queue has tasks" in page
    assert "run-node --queue" in page
