"""A change of many runs from a page: previewed, confirmed, executed in the background, and steered."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from continuum import Client
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.executing import Executing
from continuum.observer.visitor import Role, Visitor
from tests.unit.observer.served import form_token, observed

ORDERS = "workflow:orders"


class _Leasing(MemoryJournal):
    """Says when an operation is executed."""

    def __init__(self) -> None:
        super().__init__()
        self.leased = asyncio.Event()

    async def lease_operation(self, operation: str, ttl: float) -> int | None:
        token = await super().lease_operation(operation, ttl)
        self.leased.set()
        return token


async def _orders(client: Client, number: int) -> list[str]:
    return [(await client.start("orders", each)).id for each in range(number)]


def _form(page: str) -> dict[str, str]:
    """Return the fields of the form that begins an operation."""
    part = page.partition('action="/actions/begin_operation"')[2].partition("</form>")[0]
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', part)
    return {name: value.replace("&#34;", '"') for name, value in found}


async def _over(caller: httpx.AsyncClient, path: str) -> dict[str, object]:
    """Return an operation once it is over."""
    async with asyncio.timeout(10):
        while True:
            progress = (await caller.get(f"/api/v1{path}")).json()
            if progress["operation"]["state"] in ("completed", "cancelled"):
                found: dict[str, object] = progress
                return found
            await asyncio.sleep(0)


async def test_a_change_is_of_the_runs_that_its_preview_has_counted() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        await _orders(client, 7)
        page = (await caller.get(f"/runs/bulk?q={ORDERS}&action=cancel")).text
        assert "7 runs would be asked to stop" in page
        await client.start("orders", "late")
        fields = _form(page) | {"confirm": "7", "reason": "ticket 7"}
        answer = await caller.post("/actions/begin_operation", data=fields)
        path = answer.headers["location"]
        assert path.startswith("/operations/")
        progress = await _over(caller, path)
        shown = (await caller.get(path)).text
        listed = (await caller.get("/operations")).text
    operation = progress["operation"]
    assert isinstance(operation, dict)
    assert (operation["done"], operation["actor"], operation["via"]) == (7, "ada", "web")
    assert (operation["reason"], progress["of"], progress["interrupted"]) == ("ticket 7", 8, False)
    assert "7 of 8" in shown
    assert path in listed


@pytest.mark.parametrize("typed", ["", "6", "all"])
async def test_without_the_count_nothing_is_begun(typed: str) -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        await _orders(client, 7)
        page = (await caller.get(f"/runs/bulk?q={ORDERS}&action=cancel")).text
        answer = await caller.post("/actions/begin_operation", data=_form(page) | {"confirm": typed})
        assert answer.status_code == 400
        assert "No operation yet" in (await caller.get("/operations")).text


async def test_a_digest_of_another_change_begins_nothing() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        await _orders(client, 2)
        page = (await caller.get(f"/runs/bulk?q={ORDERS}&action=pause")).text
        fields = _form(page) | {"action": "delete", "confirm": "2"}
        answer = await caller.post("/actions/begin_operation", data=fields)
        assert answer.headers["location"].startswith("/runs/bulk?")
        assert "is not the digest of a preview" in (await caller.get("/runs/bulk")).text
        assert "No operation yet" in (await caller.get("/operations")).text


async def test_runs_that_were_ticked_are_those_that_are_changed() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        runs = await _orders(client, 3)
        page = await caller.get("/runs/bulk", params={"run": runs[:2], "action": "pause", "q": ORDERS})
        found = (await caller.get("/api/v1/runs/bulk", params={"run": runs[:2], "action": "pause"})).json()
    assert found["search"] == f"id:{runs[0]},{runs[1]}"
    assert found["preview"]["value"]["count"] == 2
    assert runs[2] not in page.text


async def test_a_signal_asks_for_its_name_before_it_is_previewed() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        await _orders(client, 2)
        empty = (await caller.get(f"/api/v1/runs/bulk?q={ORDERS}&action=signal")).json()
        wrong = (await caller.get(f"/runs/bulk?q={ORDERS}&action=signal&signal=ok&value=yes")).text
        page = (await caller.get(f"/runs/bulk?q={ORDERS}&action=signal&signal=ok&value=%22yes%22")).text
        fields = _form(page) | {"confirm": "2"}
        answer = await caller.post("/actions/begin_operation", data=fields)
        progress = await _over(caller, answer.headers["location"])
    assert (empty["missing"], empty["preview"]) == (["signal"], None)
    assert "JSON" in wrong
    operation = progress["operation"]
    assert isinstance(operation, dict)
    assert operation["done"] == 2


async def test_a_wrong_search_is_explained_and_stays_in_its_field() -> None:
    async with observed() as caller:
        page = (await caller.get("/runs/bulk?q=stat:failed&action=cancel")).text
    assert "did you mean state?" in page
    assert 'value="stat:failed"' in page


async def test_an_operator_sees_the_preview_and_begins_nothing() -> None:
    client = Client(MemoryJournal())
    async with observed(client, Visitor("olga", Role.OPERATOR)) as caller:
        await _orders(client, 2)
        page = (await caller.get(f"/runs/bulk?q={ORDERS}&action=cancel")).text
        assert "2 runs would be asked to stop" in page
        assert "begin_operation" not in page
        form = {"form": form_token((await caller.get("/runs")).text), "action": "cancel"}
        assert (await caller.post("/actions/begin_operation", data=form)).status_code == 403


async def _begun(client: Client, number: int, rate: float | None = None) -> str:
    """Begin an operation that nobody executes, as one whose process has died."""
    shown = await client.operations.preview("cancel", ORDERS)
    begun = asyncio.Event()
    execution = client.operations.execute(
        shown.digest, "cancel", ORDERS, rate=rate, by="ann", told=lambda _part: begun.set()
    )
    task = asyncio.create_task(execution)
    async with asyncio.timeout(10):
        await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    page = await client.operations.list()
    assert page.entries[0].done < number
    return page.entries[0].id


async def test_an_interrupted_operation_is_continued_on_its_page() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        await _orders(client, 3)
        operation = await _begun(client, 3, rate=1)
        page = (await caller.get(f"/operations/{operation}")).text
        assert "No process executes this" in page
        form = {"form": form_token(page), "operation": operation, "rate": "1000"}
        await caller.post("/actions/resume_operation", data=form)
        progress = await _over(caller, f"/operations/{operation}")
    found = progress["operation"]
    assert isinstance(found, dict)
    assert (found["state"], found["done"]) == ("completed", 3)


async def test_an_operation_is_paused_continued_and_ended_from_its_page() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        await _orders(client, 3)
        operation = await _begun(client, 3, rate=1)
        page = (await caller.get(f"/operations/{operation}")).text
        form = {"form": form_token(page), "operation": operation}
        await caller.post("/actions/pause_operation", data=form)
        assert (await client.operations.show(operation)).state == "paused"
        await caller.post("/actions/cancel_operation", data=form)
        assert (await client.operations.show(operation)).state == "cancelled"
        await caller.post("/actions/resume_operation", data=form)
        assert "is over, and nothing was changed" in (await caller.get("/operations")).text
        audit = (await caller.get(f"/api/v1/audit?subject={operation}")).json()["changes"]["value"]
    assert {(each["actor"], each["action"]) for each in audit["entries"]} == {
        ("ann", "begin_operation"),
        ("ada", "pause_operation"),
        ("ada", "cancel_operation"),
        ("ada", "resume_operation"),
    }


async def test_an_observer_that_stops_leaves_operations_to_others_at_once() -> None:
    journal = _Leasing()
    client = Client(journal)
    await _orders(client, 3)
    operation = await _begun(client, 3, rate=1)
    journal.leased.clear()
    executing = Executing(journal)
    executing.begin(operation)
    async with asyncio.timeout(10):
        await journal.leased.wait()
    assert (await client.operations.show(operation)).held
    await executing.stop()
    assert (await client.operations.show(operation)).interrupted
    await executing.stop()


async def test_there_is_no_page_of_an_operation_that_does_not_exist() -> None:
    async with observed() as caller:
        assert (await caller.get("/operations/nonsense")).status_code == 404
        assert (await caller.get("/operations/00000000-0000-0000-0000-000000000000")).status_code == 404
