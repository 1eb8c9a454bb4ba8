"""Reads of single runs: at most as many at a time as the journal has connections, each retried once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from continuum.client.argument_checks import RunOrId, run_id_of
from continuum.client.limits import MESSAGE_READ_SECONDS, READS_AT_ONCE
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace, checked_namespace, guarded
from continuum.client.retrying import retry_read_once
from continuum.client.runs import not_ended
from continuum.client.wait_reasons import Present, waits_for_a_node
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable, RunChanged, RunNotFound, RunTerminal
from continuum.journal.change_port import StateChanges
from continuum.journal.facts import Posted, Query, RunRow
from continuum.journal.operation_port import Operations
from continuum.journal.pause_port import Pauses
from continuum.journal.port import Connection, Histories, Notifications, Runs, Versions, Workers
from continuum.journal.situation import Situations

T = TypeVar("T")


class RunsAndNodes(Connection, Runs, Workers, Protocol):
    """Runs, and the nodes that may execute them."""


class WatchedRuns(RunsAndNodes, Notifications, Protocol):
    """Runs, and notifications of what happens to them."""


class ClientJournal(WatchedRuns, Histories, Versions, StateChanges, Situations, Pauses, Operations, Protocol):
    """The part of a journal that a client uses: it owns neither runs nor tasks."""


class RunLookup:
    """Finds runs by id and follows chains of runs."""

    def __init__(self, journal: RunsAndNodes) -> None:
        self._journal = journal
        self._at_once = asyncio.Semaphore(READS_AT_ONCE)

    async def read(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a read as soon as one of the slots is free."""
        async with self._at_once:
            return await retry_read_once(call)

    async def row(self, run_id: RunId, namespace: InNamespace = ANY_NAMESPACE) -> RunRow:
        """Return a run's row; `RunNotFound` if there is none, or none in that namespace."""
        row = await self.read(lambda: self._journal.get_run(run_id))
        return guarded(run_id, row, namespace)

    async def resolve(self, run_id: RunOrId, namespace: InNamespace) -> RunId:
        """Return the id in canonical form, once the run is known to be in the namespace, if one was given."""
        found, expected = run_id_of(run_id), checked_namespace(namespace)
        if expected is not ANY_NAMESPACE:
            # No run ever changes its namespace, so the check still holds when the caller writes.
            await self.row(found, expected)
        return found

    async def check_taken(self, run_id: RunId, posted: Posted) -> None:
        """Raise the error that says why a run did not take something, unless it did or had it already."""
        match posted:
            case Posted.NOT_FOUND:
                raise RunNotFound(run_id)
            case Posted.STALE:
                raise RunChanged(run_id)
            case Posted.TERMINAL:
                latest = await self.latest_run(await self.row(run_id))
                raise RunTerminal(run_id, latest.state.name.lower())

    async def latest_within(self, run_id: RunId, namespace: InNamespace, timeout: float | None) -> RunRow:
        """Return the latest run of a run's chain; `TimeoutError` if that takes longer than `timeout`."""
        # A timeout of 0 waits for no run, but the journal has to be asked.
        limit = None if timeout is None else max(timeout, MESSAGE_READ_SECONDS)
        try:
            async with asyncio.timeout(limit):
                return await self.latest_run(await self.row(run_id, namespace))
        except TimeoutError:
            assert limit is not None, "without a timeout nothing times out"
            raise TimeoutError(not_ended(run_id, limit, None)) from None

    async def latest_run(self, row: RunRow) -> RunRow:
        """Return the latest run of a chain."""
        while row.continued_to is not None:
            latest = await self.read(lambda row=row: latest_of_chain(self._journal, row.root or row.id))  # type: ignore[misc]  # mypy cannot type a lambda's default
            row = latest if latest is not None else await self.row(row.continued_to)
        return row

    async def present(self, rows: Sequence[RunRow]) -> Present:
        """Return what the reasons of these runs depend on; the nodes only if one of them waits for a node."""
        now = self._journal.now()
        if any(waits_for_a_node(row, now) for row in rows):
            return Present(now, await self.read(self._journal.nodes))
        return Present(now)

    async def latest_for_message(self, run_id: RunId) -> tuple[RunRow | None, Present]:
        """Return the latest row of a run's chain for a message, and what its reason depends on.

        The row is None if the journal does not answer soon.
        """
        row = None
        try:
            async with asyncio.timeout(MESSAGE_READ_SECONDS):
                row = await self.latest_run(await self.row(run_id))
                return row, await self.present([row])
        except (JournalUnavailable, TimeoutError):
            return row, Present(self._journal.now())


async def latest_of_chain(journal: Runs, root: RunId) -> RunRow | None:
    """Return the latest run of the chain that `root` began, with one query.

    None means that the chain has to be followed run by run: the run with the latest start need not be the
    latest. Two runs may have the same start time, and the clock of the database may have been set back.
    """
    # Only the latest run continued nowhere: however long the chain is, one step through an index finds it.
    chain = [("root", "eq", root), ("continued_to", "eq", None)]
    rows = await journal.query(Query(None, chain, ("started_at", True), 1, None))
    return rows[0] if rows and rows[0].continued_to is None else None
