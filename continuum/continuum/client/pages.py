"""Pages of runs: those that an index leads to, or those among the next runs of an order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from continuum.client.queries import Question
from continuum.client.run_lookup import RunLookup
from continuum.client.runs import Page, run_of
from continuum.errors import InvalidQuery, UnindexedQuery
from continuum.journal.facts import RunRow
from continuum.journal.limits import LOOKED_AT_TO_COUNT
from continuum.journal.port import Runs
from continuum.quoting import quoted


class FoundRows(NamedTuple):
    """Rows of a page, the cursor of the next one, and how many runs were looked at without an index."""

    rows: Sequence[RunRow]
    cursor: str | None
    looked_at: int | None = None


async def found_rows(
    journal: Runs, question: Question, *, payloads: bool, look_at: int | None = None
) -> FoundRows:
    """Return what a query finds, or with `look_at` what it finds among so many runs if no index serves it."""
    limit, asked = question.query.limit, question.one_more(payloads=payloads)
    place = looked_at = None
    try:
        rows: Sequence[RunRow] = await journal.query(asked)
    except UnindexedQuery:
        if look_at is None:
            raise
        rows, place, looked_at = await journal.look_through(asked, look_at)
    if len(rows) > limit:
        return FoundRows(rows[:limit], question.cursor_after(rows[limit - 1]), looked_at)
    return FoundRows(rows, None if place is None else question.cursor_at(*place), looked_at)


async def page_of(
    journal: Runs, lookup: RunLookup, question: Question, *, payloads: bool, look_at: int | None
) -> Page:
    """Return a page; see `Client.query`."""
    if look_at is not None and (type(look_at) is not int or not 1 <= look_at <= LOOKED_AT_TO_COUNT):
        raise InvalidQuery(
            f"look_at is a whole number from 1 to {LOOKED_AT_TO_COUNT}, not {quoted(look_at)}; "
            "continue with cursor="
        )
    found = await lookup.read(lambda: found_rows(journal, question, payloads=payloads, look_at=look_at))
    present = await lookup.present(found.rows)
    entries = [run_of(row, present, payloads=payloads) for row in found.rows]
    return Page(entries, found.cursor, found.looked_at)
