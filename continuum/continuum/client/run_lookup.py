"""Reads of single runs: as many at once as the journal has connections, each repeated once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from continuum.client.argument_checks import run_id_of
from continuum.client.limits import LAST_LOOK_SECONDS, READS_AT_ONCE
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace, checked_namespace, guarded
from continuum.client.retrying import once_more
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.facts import Query, RunRow
from continuum.journal.port import Journal

T = TypeVar("T")


class Looking:
    """Asks the journal about runs."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._at_once = asyncio.Semaphore(READS_AT_ONCE)

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """Make a read in its turn."""
        async with self._at_once:
            return await once_more(question)

    async def row(self, run_id: RunId, namespace: InNamespace = ANY_NAMESPACE) -> RunRow:
        """Return a run's row; `RunNotFound` when there is none, or none there."""
        row = await self.ask(lambda: self._journal.get_run(run_id))
        return guarded(run_id, row, namespace)

    async def known(self, run_id: str, namespace: InNamespace) -> RunId:
        """Return the id of a run that a call is about, which is in the namespace if one was given."""
        found, expected = run_id_of(run_id), checked_namespace(namespace)
        if expected is not ANY_NAMESPACE:
            # No run ever changes its namespace, so what is true now stays true.
            await self.row(found, expected)
        return found

    async def tip(self, row: RunRow) -> RunRow:
        """Return the last run of a chain of runs that continued as new."""
        while row.continued_to is not None:
            latest = await self.ask(lambda row=row: latest_of_chain(self._journal, row))  # type: ignore[misc]  # mypy cannot type a lambda's default
            row = latest if latest is not None else await self.row(row.continued_to)
        return row

    async def latest(self, run_id: RunId) -> RunRow | None:
        """Return the last row of a run's chain for a message, None if the journal does not answer soon."""
        try:
            async with asyncio.timeout(LAST_LOOK_SECONDS):
                return await self.tip(await self.row(run_id))
        except (JournalUnavailable, TimeoutError):
            return None


async def latest_of_chain(journal: Journal, row: RunRow) -> RunRow | None:
    """Return the run that a chain has come to; None when it has to be found step by step.

    The one that began last need not be it: of runs that began in the same moment none did, and
    the database clock may have been set back.
    """
    chain = [("root", "eq", row.root or row.id)]
    rows = await journal.query(Query(None, chain, ("started_at", True), 1, None))
    return rows[0] if rows and rows[0].continued_to is None else None
