"""Pages of the record of what people change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from continuum.errors import InvalidQuery
from continuum.journal.audit_facts import Action, AuditFacts
from continuum.journal.memory.journal import MemoryJournal
from continuum.operations.audit import audit_page

MOMENT = datetime(2026, 1, 31, 9, tzinfo=UTC)
NOBODY = "00000000-0000-4000-8000-000000000000"


async def recorded(number: int) -> MemoryJournal:
    """Return a journal with so many changes, a microsecond apart."""
    clock = iter(range(int(MOMENT.timestamp()) * 1_000_000, 10**18))
    journal = MemoryJournal(lambda: next(clock))
    for each in range(number):
        audit = AuditFacts(f"{each:08}{NOBODY[8:]}", "ann", "cli", Action.DRAIN_NODE, f"n{each}", {}, None)
        await journal.drain_node(audit.subject, audit=audit)  # type: ignore[arg-type]  # any text is a name here
    return journal


def test_pages_continue_where_the_one_before_ended() -> None:
    async def main() -> list[list[str]]:
        journal = await recorded(5)
        pages, cursor = [], None
        while True:
            page = await audit_page(journal, limit=2, cursor=cursor)
            pages.append([entry.subject for entry in page.entries])
            cursor = page.next_cursor
            if cursor is None:
                return pages

    assert asyncio.run(main()) == [["n4", "n3"], ["n2", "n1"], ["n0"]]


def test_an_entry_has_its_time_and_the_filters_hold() -> None:
    async def main() -> None:
        journal = await recorded(3)
        (entry,) = (await audit_page(journal, subject="n0", action="drain_node", actor="ann")).entries
        assert (entry.at, entry.outcome, entry.reason) == (MOMENT, "not_found", None)
        later = await audit_page(journal, since=MOMENT.replace(microsecond=1))
        assert [each.subject for each in later.entries] == ["n2", "n1"]
        assert (await audit_page(journal, actor="bob")).entries == []

    asyncio.run(main())


@pytest.mark.parametrize(
    "cursor", ["", "7", "x.y", f"{-(10**18)}.{NOBODY}", f"{10**18}.{NOBODY}", f"1.{NOBODY}0"]
)
def test_a_text_that_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidQuery, match="is not a cursor of this list"):
        asyncio.run(audit_page(MemoryJournal(), cursor=cursor))
