"""Views of the list of runs that an operator saves for everybody."""

from __future__ import annotations

from continuum import Client
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.visitor import Role, Visitor
from tests.unit.observer.served import form_token, observed

OLGA = Visitor("olga", Role.OPERATOR)


async def test_a_view_is_saved_as_a_link_for_everybody_and_removed() -> None:
    journal = MemoryJournal()
    async with observed(Client(journal), OLGA) as caller:
        page = (await caller.get("/runs?q=state:failed&columns=workflow,@vip&cursor=")).text
        form = {"form": form_token(page), "name": "failed <vip>", "q": "state:failed", "limit": "100"}
        answer = await caller.post("/actions/save_view", data=form)
        assert answer.headers["location"] == "/runs?q=state%3Afailed&limit=100"
        page = (await caller.get("/runs")).text
        assert (
            'href="/runs?q=state%3Afailed&amp;limit=100" title="saved by olga">failed &lt;vip&gt;</a>' in page
        )
        await caller.post("/actions/remove_view", data=form)
        assert await journal.views() == []


async def test_only_what_the_list_can_show_is_saved() -> None:
    journal = MemoryJournal()
    async with observed(Client(journal), OLGA) as caller:
        form = {"form": form_token((await caller.get("/runs")).text), "name": "wrong"}
        for wrong in ({"q": "stat:failed"}, {"columns": "nonsense"}, {"order": "sideways"}, {"name": " "}):
            await caller.post("/actions/save_view", data=form | wrong)
        assert await journal.views() == []


async def test_a_viewer_uses_views_and_saves_none() -> None:
    journal = MemoryJournal()
    async with observed(Client(journal), Visitor("vic", Role.VIEWER)) as caller:
        page = (await caller.get("/runs")).text
        assert "save_view" not in page
        form = {"form": "of nobody", "name": "mine"}
        assert (await caller.post("/actions/save_view", data=form)).status_code == 403
    assert await journal.views() == []
