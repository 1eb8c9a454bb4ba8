"""Failed runs in groups: which workflow, which error and where, with the way to all of them."""

from __future__ import annotations

from continuum import Client
from continuum.journal.event_codec import pack_body
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Journal, RunState
from continuum.observer.failure_groups import place_of, read_failures
from continuum.observer.visitor import Role, Visitor
from tests.contract.builders import commit, end, owned_run, worker_of, write
from tests.unit.observer.served import observed

TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/flows.py", line 60, in order_flow
    paid = check(order)
  File "/srv/shop/rules.py", line 7, in check
    raise KeyError(order)
  File "/usr/lib/python3.11/site-packages/continuum/definitions/activity.py", line 229, in perform
    data = await pending.future
KeyError: 'order'
"""
DECLINED = (
    "continuum.ActivityError",
    "shop.charge failed on attempt 3: ValueError: card 4242 <b>",
    TRACEBACK,
)
MISSING = ("KeyError", "'order'", TRACEBACK)


async def failed(journal: Journal, *errors: tuple[str, str, str]) -> None:
    """Have a run fail with each of these errors."""
    worker = await worker_of(journal)
    for error in errors:
        run = await owned_run(journal, worker)
        await commit(journal, worker, write(run, transition=end(RunState.FAILED, error=pack_body(error))))


async def test_runs_are_grouped_by_error_and_place() -> None:
    journal = MemoryJournal()
    await failed(journal, DECLINED, MISSING, DECLINED)
    found = await read_failures(journal)
    assert [(group.error, group.place, group.runs) for group in found.groups] == [
        ("ValueError", "activity shop.charge", 2),
        ("KeyError", "rules.py:7 in check", 1),
    ]
    assert found.groups[0].first <= found.groups[0].last
    assert (found.looked_at, found.more) == (3, False)


async def test_the_latest_are_looked_at_and_it_says_so() -> None:
    journal = MemoryJournal()
    await failed(journal, DECLINED, DECLINED, MISSING)
    found = await read_failures(journal, most=2)
    assert (found.looked_at, found.more) == (2, True)
    assert [group.runs for group in found.groups] == [1, 1]


def test_a_place_is_that_of_code_which_is_not_ours() -> None:
    assert place_of("no", TRACEBACK) == "rules.py:7 in check"
    assert place_of("no", "") is None
    assert place_of("shop.ship failed on attempt 1: OSError: no", "") == "activity shop.ship"


async def test_a_group_leads_to_its_runs_and_to_their_restart() -> None:
    journal = MemoryJournal()
    await failed(journal, DECLINED)
    async with observed(Client(journal)) as caller:
        page = (await caller.get("/failures")).text
        found = (
            await caller.get("/runs", params={"q": "state:failed workflow:orders error:ValueError"})
        ).text
    assert "/runs?q=state%3Afailed+workflow%3Aorders+error%3AValueError" in page
    assert "/runs/bulk?q=state%3Afailed+workflow%3Aorders+error%3AValueError&amp;action=restart" in page
    assert "card 4242 &lt;b&gt;" in page
    assert "No run matches" not in found


async def test_a_viewer_sees_no_messages_and_restarts_nothing() -> None:
    journal = MemoryJournal()
    await failed(journal, DECLINED)
    async with observed(Client(journal), Visitor("vera", Role.VIEWER)) as caller:
        page = (await caller.get("/failures")).text
        record = (await caller.get("/api/v1/failures")).text
    assert "ValueError" in page
    assert "4242" not in page + record
    assert "Restart all" not in page
