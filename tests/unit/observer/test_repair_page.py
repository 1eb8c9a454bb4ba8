"""A repair from a page: planned, shown, confirmed, and made only if it is as it was shown."""

from __future__ import annotations

import re

from continuum import Client
from continuum.engine.ids import RunId
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.visitor import Role, Visitor
from tests.contract.builders import commit, owned_run, signal, sleep_until, worker_of, write
from tests.unit.observer.served import form_token, observed


async def _damaged(journal: MemoryJournal) -> RunId:
    """Return a run that has mail and that no node looks for."""
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(None)))
    await journal.post([signal(run.id)])
    journal._runs[run.id].due_at = None
    return run.id


def _form(page: str) -> dict[str, str]:
    """Return the fields of the form that makes a repair."""
    part = page.partition('action="/actions/repair"')[2].partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', part))


async def test_a_repair_is_made_as_its_page_has_shown_it() -> None:
    journal = MemoryJournal()
    run = await _damaged(journal)
    async with observed(Client(journal)) as caller:
        page = (await caller.get(f"/health/repair?code=lost-wake&subject={run}")).text
        assert "make the run due now" in page
        assert journal._runs[run].due_at is None, "a preview changes nothing"
        form = _form(page) | {"confirm": run, "reason": "ticket 7"}
        answer = await caller.post("/actions/repair", data=form)
        assert answer.headers["location"] == "/health"
        assert "is mended" in (await caller.get("/health")).text
        audit = (await caller.get("/api/v1/audit")).json()["changes"]["value"]["entries"]
        again = (await caller.get(f"/health/repair?code=lost-wake&subject={run}")).text
    assert journal._runs[run].due_at is not None
    assert [(each["actor"], each["via"], each["action"], each["reason"]) for each in audit] == [
        ("ada", "web", "repair", "ticket 7")
    ]
    assert "Nothing is damaged here" in again


async def test_a_repair_that_would_do_something_else_is_not_made() -> None:
    journal = MemoryJournal()
    run = await _damaged(journal)
    async with observed(Client(journal)) as caller:
        form = _form((await caller.get(f"/health/repair?code=lost-wake&subject={run}")).text)
        await caller.post("/actions/repair", data=form | {"digest": "of another", "confirm": run})
        assert "has changed since the preview" in (await caller.get("/health")).text
        assert (await caller.post("/actions/repair", data=form | {"confirm": "yes"})).status_code == 400
    assert journal._runs[run].due_at is None


async def test_an_operator_sees_what_a_repair_would_do_and_makes_none() -> None:
    journal = MemoryJournal()
    run = await _damaged(journal)
    async with observed(Client(journal), Visitor("olga", Role.OPERATOR)) as caller:
        page = (await caller.get(f"/health/repair?code=lost-wake&subject={run}")).text
        form = {"form": form_token((await caller.get("/health")).text), "subject": run, "confirm": run}
        assert (await caller.post("/actions/repair", data=form)).status_code == 403
    assert "make the run due now" in page
    assert "needs the role admin" in page


async def test_a_code_that_no_repair_mends_says_what_does() -> None:
    async with observed() as caller:
        assert "which no repair mends" in (await caller.get("/health/repair?code=backlog&subject=x")).text
        assert "What is to be repaired?" in (await caller.get("/health/repair")).text
