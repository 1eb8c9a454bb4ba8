"""The list of runs: columns, order, search and what is wrong with it."""

from __future__ import annotations

import pytest

from continuum import Client
from continuum.errors import InvalidOption
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.run_columns import USUAL, columns_of, order_of, size_of
from continuum.observer.searches import narrowed
from continuum.observer.visitor import Role, Visitor
from tests.unit.observer.served import observed


async def test_columns_and_order_are_in_the_address() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        first = await client.start("orders", 1, attributes={"region": "eu"})
        second = await client.start("orders", 2)
        page = (await caller.get("/runs?columns=workflow,@region&order=started")).text
        found = (await caller.get("/api/v1/runs?order=started")).json()["found"]["value"]["entries"]
    assert ">@region</th>" in page
    assert "eu" in page.partition("<tbody>")[2]
    assert ">Started</th>" not in page
    assert [each["id"] for each in found] == [first.id, second.id]


async def test_a_wrong_search_is_explained_and_stays_in_the_field() -> None:
    async with observed() as caller:
        page = await caller.get("/runs?q=stat:failed")
    assert page.status_code == 200
    assert "did you mean state?" in page.text
    assert 'value="stat:failed"' in page.text
    assert "state:failed workflow:pay*" in page.text


@pytest.mark.parametrize("asked", ["columns=nonsense", "order=sideways", "limit=7"])
async def test_a_wrong_address_is_explained(asked: str) -> None:
    async with observed() as caller:
        assert 'role="alert"' in (await caller.get(f"/runs?{asked}")).text


async def test_runs_are_counted_and_lead_to_a_change_of_all() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        runs = [(await client.start("orders", each)).id for each in range(30)]
        page = (await caller.get("/runs?q=workflow:orders&limit=25")).text
        next_page = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
        second = (await caller.get(next_page.replace("&amp;", "&"))).text
    assert "30 runs" in page
    assert 'href="/runs/bulk?q=workflow%3Aorders"' in page
    assert 'href="/runs/bulk?q=id%3A' in page
    assert page.count('type="checkbox"') == 25
    assert second.count('type="checkbox"') == 5
    assert all(run in page + second for run in runs)


async def test_terms_are_suggested_that_narrow_the_search() -> None:
    client = Client(MemoryJournal())
    async with observed(client) as caller:
        await client.start("orders", 1)
        page = (await caller.get("/runs?q=workflow:orders")).text
    assert 'href="/runs?q=workflow%3Aorders+state%3Afailed"' in page


async def test_a_viewer_ticks_nothing_and_sees_no_attributes() -> None:
    client = Client(MemoryJournal())
    async with observed(client, Visitor("vic", Role.VIEWER)) as caller:
        await client.start("orders", 1, attributes={"region": "secret-place"})
        page = (await caller.get("/runs?columns=@region")).text
        records = (await caller.get("/api/v1/runs")).text
    assert 'type="checkbox"' not in page
    assert "secret-place" not in page + records


def test_a_list_has_the_usual_columns_unless_its_address_names_others() -> None:
    assert columns_of(" ") == USUAL
    assert columns_of("state, @vip,state") == ("state", "@vip")
    with pytest.raises(InvalidOption, match="12 columns at most"):
        columns_of(",".join(f"@{each}" for each in range(13)))
    assert order_of("") == ("started_at", "desc")
    assert size_of("", 50) == 50


@pytest.mark.parametrize(
    ("search", "narrower"),
    [
        ("", "state:failed"),
        ("workflow:pay", "workflow:pay state:failed"),
        ("state:open workflow:pay", "workflow:pay state:failed"),
        ('workflow:"a state:b"', 'workflow:"a state:b" state:failed'),
    ],
)
def test_a_suggested_term_replaces_one_about_the_same_field(search: str, narrower: str) -> None:
    assert narrowed(search, "state:failed") == narrower
