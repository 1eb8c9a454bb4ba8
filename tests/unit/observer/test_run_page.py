"""The page of a run: what it shows to whom, and the changes that its forms make."""

from __future__ import annotations

import json

import httpx
import pytest

from continuum.client import Client
from continuum.engine.ids import RunId
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.payloads import HIDDEN
from continuum.observer.visitor import Role, Visitor
from tests.unit.observer.served import form_token, observed

HOSTILE = "<script>document.title='owned'</script>"
ORDER = {"id": "o1", "card": "4242 4242", "note": HOSTILE}
VIEWER = Visitor("vera", Role.VIEWER)
OPERATOR = Visitor("otto", Role.OPERATOR)


async def started(client: Client) -> str:
    run = await client.start("shop.order", ORDER, attributes={"region": HOSTILE})
    return run.id


async def posted(caller: httpx.AsyncClient, page: str, action: str, **values: str) -> httpx.Response:
    token = form_token((await caller.get(page)).text)
    data = {"form": token, "back": page, **values}
    return await caller.post(
        f"/actions/{action}",
        data={key.replace("__", ":"): value for key, value in data.items()},
        headers={"sec-fetch-site": "same-origin"},
    )


async def test_an_operator_sees_the_input_as_text_and_never_as_markup() -> None:
    client = Client(MemoryJournal())
    async with client, observed(client, OPERATOR) as caller:
        page = (await caller.get(f"/runs/{await started(client)}")).text
    assert "4242 4242" in page
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


async def test_a_viewer_sees_no_payload_on_the_page_or_in_the_api() -> None:
    client = Client(MemoryJournal())
    async with client, observed(client, VIEWER) as caller:
        id = await started(client)
        page, record = await caller.get(f"/runs/{id}"), await caller.get(f"/api/v1/runs/{id}")
    assert (page.status_code, record.status_code) == (200, 200)
    assert "4242" not in page.text + record.text
    assert record.json()["run"]["input"][0]["kind"] == "map of 3"
    assert '<form method="post"' not in page.text


async def test_a_redacted_path_is_hidden_from_everybody_also_in_forms() -> None:
    client = Client(MemoryJournal())
    async with client, observed(client, redact=("*.card",)) as caller:
        page = (await caller.get(f"/runs/{await started(client)}")).text
    assert "4242" not in page


async def test_a_signal_is_sent_as_the_visitor() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client, OPERATOR) as caller:
        id = await started(client)
        answer = await posted(
            caller,
            f"/runs/{id}",
            "signal_run",
            run=id,
            signal="approve",
            json__value='{"$date": "2026-01-31"}',
        )
        (mail,) = await journal.unread([RunId(id)], 10)
        record = (await caller.get(f"/api/v1/runs/{id}")).json()["audit"]["value"]
    assert answer.headers["location"] == f"/runs/{id}"
    assert mail.name == "approve"
    assert [(each["actor"], each["via"], each["action"]) for each in record] == [("otto", "web", "signal")]


async def test_json_that_is_none_changes_nothing_and_says_so() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client, OPERATOR) as caller:
        id = await started(client)
        await posted(caller, f"/runs/{id}", "signal_run", run=id, signal="approve", json__value="yes")
        assert "is not JSON" in (await caller.get(f"/runs/{id}")).text
        assert await journal.unread([RunId(id)], 10) == []


@pytest.mark.parametrize(("typed", "state"), [("no", "suspended"), (None, "cancelled")])
async def test_an_end_by_force_asks_for_the_id(typed: str | None, state: str) -> None:
    client = Client(MemoryJournal())
    async with client, observed(client, OPERATOR) as caller:
        id = await started(client)
        await posted(caller, f"/runs/{id}", "force_cancel_run", run=id, confirm=typed or id)
        assert ((await client.get_run(id)).state == "cancelled") == (state == "cancelled")


async def test_one_like_it_is_started_from_its_prefilled_form() -> None:
    client = Client(MemoryJournal())
    async with client, observed(client, OPERATOR) as caller:
        id = await started(client)
        answer = await posted(
            caller,
            f"/runs/{id}",
            "start_run",
            workflow="shop.order",
            namespace="eu",
            attributes='{"vip": true}',
            json__args=json.dumps([{"id": "o2"}]),
        )
        new = await client.get_run(answer.headers["location"].rpartition("/")[2])
    assert (new.workflow, new.namespace, new.input, new.attributes) == (
        "shop.order",
        "eu",
        [{"id": "o2"}],
        {"vip": True},
    )


async def test_a_hidden_part_is_not_started_again() -> None:
    client = Client(MemoryJournal())
    async with client, observed(client, redact=("*.card",)) as caller:
        id = await started(client)
        hidden = json.dumps([{"card": HIDDEN}], ensure_ascii=False)
        await posted(caller, f"/runs/{id}", "start_run", workflow="shop.order", json__args=hidden)
        assert "type what belongs in place" in (await caller.get(f"/runs/{id}")).text
        assert len((await client.query()).entries) == 1


async def test_a_run_is_paused_resumed_given_attributes_and_removed() -> None:
    client = Client(MemoryJournal())
    async with client, observed(client) as caller:
        id = await started(client)
        page = f"/runs/{id}"
        await posted(caller, page, "pause_run", run=id, reason="lunch")
        pause = (await client.get_run(id)).pause
        assert pause is not None
        assert pause.reason == "lunch"
        await posted(caller, page, "resume_run", run=id)
        assert (await client.get_run(id)).pause is None
        await posted(caller, page, "attributes_of_run", run=id, attributes='{"vip": 1}')
        assert (await client.get_run(id)).attributes["vip"] == 1
        await posted(caller, page, "force_cancel_run", run=id, confirm=id)
        answer = await posted(caller, page, "delete_run", run=id, confirm=id)
        assert answer.headers["location"] == "/runs"
        assert (await client.query()).entries == []
