"""The history, the timeline and the code of a run, as their pages read them."""

from __future__ import annotations

from typing import Any

import pytest

from continuum.client import Client
from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.limits import EVENTS_PER_PAGE, LANES, TIMELINE_EVENTS
from continuum.observer.visitor import Role, Visitor
from tests.contract.builders import commit, owned_run, worker_of, write
from tests.unit.observer.served import observed

HOSTILE = "<script>document.title='owned'</script>"
SECOND = 1_000_000
VIEWER = Visitor("vera", Role.VIEWER)


async def with_calls(journal: MemoryJournal, calls: int) -> RunId:
    """A run with so many calls, each followed by its answer."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    events = []
    for place in range(calls):
        seq, at = 2 * place, (place + 1) * SECOND
        arguments = encode([[{"card": "4242", "note": HOSTILE, "number": place}], {}])
        body: tuple[Any, ...] = (HOSTILE, "flow", "shop.py:7", arguments, None)
        events.append(Event(seq, EventType.ACTIVITY_SCHEDULED, at, body))
        events.append(Event(seq + 1, EventType.ACTIVITY_COMPLETED, at + 1, (seq, encode(f"done {place}"))))
    await commit(journal, worker, write(run, *events))
    return run.id


async def test_a_page_has_a_part_of_the_events_and_leads_to_the_next() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client) as caller:
        id = await with_calls(journal, EVENTS_PER_PAGE)
        first = (await caller.get(f"/api/v1/runs/{id}/history")).json()
        last = (await caller.get(f"/api/v1/runs/{id}/history?from={EVENTS_PER_PAGE}")).json()
        page = await caller.get(f"/runs/{id}/history")
    assert first["length"] == 2 * EVENTS_PER_PAGE
    assert [each["seq"] for each in first["events"]["value"]["events"]] == list(range(EVENTS_PER_PAGE))
    assert (first["events"]["value"]["next"], last["events"]["value"]["next"]) == (EVENTS_PER_PAGE, None)
    assert f"from={EVENTS_PER_PAGE}" in page.text
    assert HOSTILE not in page.text
    assert len(page.content) < 150 * 1024


async def test_a_command_is_beside_its_answer() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client) as caller:
        id = await with_calls(journal, 2)
        events = (await caller.get(f"/api/v1/runs/{id}/history")).json()["events"]["value"]["events"]
    assert [(each["seq"], each["answered"], each["answers"]) for each in events] == [
        (0, 1, None),
        (1, None, 0),
        (2, 3, None),
        (3, None, 2),
    ]


async def test_a_search_looks_into_names_and_values() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client) as caller:
        id = await with_calls(journal, 9)
        found = (await caller.get(f"/api/v1/runs/{id}/history?find=DONE 7")).json()
    assert [each["seq"] for each in found["events"]["value"]["events"]] == [15]


async def test_a_viewer_neither_sees_nor_finds_values() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client, VIEWER) as caller:
        id = await with_calls(journal, 3)
        page = await caller.get(f"/runs/{id}/history?event=0")
        found = (await caller.get(f"/api/v1/runs/{id}/history?find=4242")).json()
    assert "4242" not in page.text
    assert found["events"]["value"]["events"] == []


async def test_a_hidden_value_is_not_found_either() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client, redact=("*.card",)) as caller:
        id = await with_calls(journal, 1)
        answer = await caller.get(f"/api/v1/runs/{id}/history?find=4242")
    assert answer.json()["events"]["value"]["events"] == []


async def test_a_cut_is_offered_where_the_run_may_begin_again() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client) as caller:
        id = await with_calls(journal, 2)
        page = (await caller.get(f"/runs/{id}/history?at=2")).text
        refused = (await caller.get(f"/api/v1/runs/{id}/history?at=99")).json()["cut"]["value"]
    assert "/actions/reset_run" in page
    assert "/actions/fork_run" in page
    assert "events 0 to 3" in refused["refused"]


@pytest.mark.parametrize("number", ["x", "-1", "1e9", "9" * 40])
async def test_a_number_that_is_none_is_refused(number: str) -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client) as caller:
        id = await with_calls(journal, 1)
        assert (await caller.get(f"/runs/{id}/history?from={number}")).status_code == 400


async def test_a_long_history_has_an_outline_and_the_latest_part_of_its_timeline() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client) as caller:
        id = await with_calls(journal, TIMELINE_EVENTS)
        page = await caller.get(f"/runs/{id}/timeline")
        records = (await caller.get(f"/api/v1/runs/{id}/timeline")).json()
    assert sum(each["events"] for each in records["outline"]["value"]) == 2 * TIMELINE_EVENTS
    drawn = records["drawn"]["value"]
    assert (drawn["first"], drawn["last"]) == (TIMELINE_EVENTS, 2 * TIMELINE_EVENTS - 1)
    assert len(drawn["lanes"]) <= LANES
    assert HOSTILE not in page.text
    assert len(page.content) < 150 * 1024


async def test_a_run_without_drift_says_how_to_look_for_it() -> None:
    client = Client(journal := MemoryJournal())
    async with client, observed(client) as caller:
        id = await with_calls(journal, 1)
        assert "continuum replay" in (await caller.get(f"/runs/{id}/code")).text


@pytest.mark.parametrize("page", ["", "/history", "/timeline", "/code"])
async def test_a_run_that_does_not_exist_is_not_found(page: str) -> None:
    async with observed() as caller:
        assert (await caller.get(f"/runs/01900000-0000-7000-8000-000000000009{page}")).status_code == 404
