"""Views of the list of runs: saved for everybody, replaced by name, and not too many."""

from __future__ import annotations

from continuum.journal.port import Journal
from continuum.journal.view_port import SavedView

FAILED = SavedView("failed", "q=state%3Afailed", "ann")


async def test_a_view_is_saved_replaced_and_removed(journal: Journal) -> None:
    blocked = SavedView("blocked", "q=state%3Ablocked", "ann")
    assert await journal.save_view(FAILED, 10)
    assert await journal.save_view(blocked, 10)
    other = FAILED._replace(address="q=state%3Afailed&limit=100", saved_by="bob")
    assert await journal.save_view(other, 10)
    assert await journal.views() == [blocked, other]
    assert await journal.remove_view("blocked")
    assert not await journal.remove_view("blocked")
    assert await journal.views() == [other]


async def test_there_are_no_more_views_than_a_list_can_show(journal: Journal) -> None:
    for number in range(3):
        assert await journal.save_view(FAILED._replace(name=f"view {number}"), 3)
    assert not await journal.save_view(FAILED, 3)
    assert await journal.save_view(FAILED._replace(name="view 1"), 3)
    assert [each.name for each in await journal.views()] == ["view 0", "view 1", "view 2"]
