"""The pages of nodes: what nodes report while they are looked at, and what the page says of silent ones."""

from __future__ import annotations

from continuum import Client
from continuum.engine.ids import NodeId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.node_report_port import GivenReport
from continuum.journal.port import NodeFacts
from continuum.observer.pages.node import alone_with, silence_of
from continuum.observer.visitor import Role, Visitor
from continuum.operations.node_report import ActorReport, NodeReport, ProcessReport, ProcessStacks, Stack
from continuum.operations.node_watch import WatchedNode
from continuum.operations.stored_records import as_json
from tests.contract.builders import worker_of
from tests.unit.observer.served import ADA, form_token, observed

NORTH = NodeFacts(NodeId("north"), 10, "loopback:1", "up", [("run_host", 11)], ["orders"])
RUN = ActorReport("056faae5-4c94-524d-80a9-73e4e87809aa", "worker", "busy", mailbox=3, actor="Run")
WRITER = ActorReport("writer <b>", "worker", "down", restarts=2, ended_ago=30.0, why="ValueError: card 4242")
TREE = ActorReport("host", "supervisor", "idle", strategy="one_for_all", children=(WRITER, RUN), unlisted=7)
REPORT = NodeReport("north", "up", (ProcessReport("run_host-1", "run_host", 11, tree=TREE),))
STACKS = (ProcessStacks("run_host-1", "run_host", 11, (Stack("thread", "MainThread", ("a.py:1 main",)),)),)
VIEWER = Visitor("vera", Role.VIEWER)


async def reporting() -> MemoryJournal:
    """Return the journal of a node that has reported about itself, with its stacks."""
    journal = MemoryJournal()
    worker = await worker_of(journal)
    await journal.renew([worker.id], 600.0, NORTH)
    number = await journal.want_report(NORTH.node, 10.0, stacks=True)
    assert number is not None
    told = GivenReport(as_json(REPORT), [as_json(each) for each in STACKS], number)
    await journal.renew([worker.id], 600.0, NORTH, report=told)
    return journal


async def test_a_node_shows_its_tree_while_somebody_looks() -> None:
    async with observed(Client(await reporting())) as caller:
        page = (await caller.get("/nodes/north")).text
    assert "writer &lt;b&gt;" in page
    assert "2 restarts, the last 30 s ago: ValueError: card 4242" in page
    assert "3 messages waiting" in page
    assert "and 7 more" in page
    assert f'href="/runs/{RUN.id}"' in page
    assert "a.py:1 main" in page


async def test_a_viewer_sees_no_texts_of_exceptions_and_no_stacks() -> None:
    async with observed(Client(await reporting()), VIEWER) as caller:
        page = (await caller.get("/nodes/north")).text
        record = (await caller.get("/api/v1/nodes/north")).text
    assert "2 restarts" in page
    for text in (page, record):
        assert "4242" not in text
        assert "a.py:1 main" not in text


async def test_a_page_has_its_node_report() -> None:
    journal = MemoryJournal()
    worker = await worker_of(journal)
    await journal.renew([worker.id], 600.0, NORTH)
    assert (await journal.renew([worker.id], 600.0, NORTH)).wanted is None

    async with observed(Client(journal)) as caller:
        page = (await caller.get("/nodes/north")).text
    assert "was asked to report" in page
    assert (await journal.renew([worker.id], 600.0, NORTH)).wanted is not None


async def test_an_unknown_node_is_not_found() -> None:
    async with observed() as caller:
        answer = await caller.get("/nodes/south")
    assert answer.status_code == 404
    assert "south" in answer.text


async def test_a_silent_node_is_told_in_words() -> None:
    journal = await reporting()
    (north,) = await journal.nodes()
    assert silence_of(north, WatchedNode("north", REPORT, 1.0), 60.0) is None
    assert "asked to report" in str(silence_of(north, WatchedNode("north"), 2.0))
    assert "does not answer" in str(silence_of(north, WatchedNode("north", REPORT, 40.0), 60.0))
    assert "another release" in str(silence_of(north, WatchedNode("north", unreadable=True), 60.0))
    assert alone_with(north, [north]) == ["orders"]


async def test_a_node_drains_once_its_name_is_typed() -> None:
    journal = await reporting()
    async with observed(Client(journal)) as caller:
        token = form_token((await caller.get("/nodes/north")).text)
        form = {"form": token, "node": "north", "pid": "10"}
        refused = await caller.post("/actions/drain_node", data={**form, "confirm": "nroth"})
        assert refused.status_code == 400
        anew = await caller.post(
            "/actions/drain_node", data={**form, "pid": "9", "confirm": "north"}, follow_redirects=True
        )
        assert "started anew" in anew.text
        assert not (await journal.renew([], 600.0, NORTH)).drain

        await caller.post("/actions/drain_node", data={**form, "confirm": "north"})
    assert (await journal.renew([], 600.0, NORTH)).drain


async def test_stacks_are_asked_for_by_operators_alone() -> None:
    journal = await reporting()
    async with observed(Client(journal), VIEWER) as caller:
        token = form_token((await caller.get("/nodes/north")).text)
        answer = await caller.post("/actions/ask_stacks", data={"form": token, "node": "north"})
        assert answer.status_code == 403
    async with observed(Client(journal), ADA) as caller:
        token = form_token((await caller.get("/nodes/north")).text)
        await caller.post("/actions/ask_stacks", data={"form": token, "node": "north"})
    wanted = (await journal.renew([], 600.0, NORTH)).wanted
    assert wanted is not None
    assert wanted.stacks > 0
