"""Pages of operations, the latest first."""

from __future__ import annotations

import uuid

from continuum.errors import InvalidQuery
from continuum.journal.operation_port import Operations
from continuum.operations.bulk_records import OperationPage, operation_of
from continuum.quoting import quoted


async def operation_page(journal: Operations, *, limit: int, cursor: str | None) -> OperationPage:
    """Return a page of operations; `InvalidQuery` if the cursor is none of an earlier page."""
    rows = await journal.operations(limit + 1, None if cursor is None else _place(cursor))
    more = f"{rows[limit - 1].created_at}.{rows[limit - 1].id}" if len(rows) > limit else None
    return OperationPage(tuple(map(operation_of, rows[:limit])), more)


def _place(cursor: str) -> tuple[int, str]:
    moment, _, id = cursor.partition(".")
    try:
        return int(moment), str(uuid.UUID(id))
    except ValueError:
        raise InvalidQuery(f"{quoted(cursor)} is not a cursor of this list; begin without one") from None
