"""Changes of many runs, the latest first."""

from __future__ import annotations

from dataclasses import dataclass

from continuum.observer.limits import OPERATIONS_PER_PAGE
from continuum.observer.page import Page
from continuum.observer.pages.operation import Progress, progress_of
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.operation_lists import operation_page


@dataclass(frozen=True, slots=True)
class OperationsShown:
    """Operations with how far each is, and the cursor of the next page."""

    entries: list[Progress]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Operations:
    """A page of operations."""

    operations: Part[OperationsShown]


async def read(visit: Visit) -> Operations:
    """Read a page of operations."""
    return Operations(await part(_page(visit)))


async def _page(visit: Visit) -> OperationsShown:
    page = await operation_page(visit.journal, limit=OPERATIONS_PER_PAGE, cursor=visit.asked.get("cursor"))
    return OperationsShown([progress_of(visit, each) for each in page.entries], page.next_cursor)


OPERATIONS = Page(
    "/operations", "operations.html", read, Operations, "changes of many runs, and how far each is"
)
