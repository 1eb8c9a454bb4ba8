"""The page of who changed what."""

from __future__ import annotations

from continuum import Client
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.observer.served import observed


async def test_changes_are_found_by_who_made_them_and_lead_to_their_runs() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        run = await client.as_actor("grace", reason="ticket 7").start("orders", 1)
        await client.as_actor("linus").start("orders", 2)
        page = (await caller.get("/audit?actor=grace")).text
        found = (await caller.get("/api/v1/audit?actor=grace")).json()["changes"]["value"]["entries"]
    assert f'href="/runs/{run.id}"' in page
    assert "ticket 7" in page
    assert [(each["actor"], each["action"], each["subject"]) for each in found] == [
        ("grace", "start", run.id)
    ]


async def test_the_record_is_read_page_by_page() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        for number in range(60):
            await client.as_actor("grace").start("orders", number)
        first = (await caller.get("/api/v1/audit")).json()["changes"]["value"]
        cursor = first["next_cursor"]
        second = (await caller.get(f"/api/v1/audit?cursor={cursor}")).json()["changes"]["value"]
        assert f"cursor={cursor}" in (await caller.get("/audit")).text
    subjects = [each["subject"] for each in first["entries"] + second["entries"]]
    assert len(first["entries"]) == 50
    assert len(set(subjects)) == 60
    assert second["next_cursor"] is None


async def test_a_time_that_is_none_is_explained_beside_its_field() -> None:
    async with observed() as caller:
        page = (await caller.get("/audit?since=yesterday")).text
    assert 'value="yesterday"' in page
    assert "neither a duration like 90s" in page


async def test_an_empty_record_says_what_would_be_there() -> None:
    async with observed() as caller:
        assert "Nobody has changed anything yet" in (await caller.get("/audit")).text
        assert "No change matches" in (await caller.get("/audit?actor=nobody")).text
