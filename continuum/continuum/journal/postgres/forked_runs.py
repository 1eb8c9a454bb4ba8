"""Runs that begin with the events of another, on Postgres.

Rows of events before the cut are copied in the database. A row across the cut is written anew, up to the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts
from continuum.journal.event_rows import length_of, rows_of
from continuum.journal.forked_run import ForkedRun, StoredFork
from continuum.journal.port import InboxKind, Posted
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.inbox_rows import stored_body
from continuum.journal.repeated_calls import WrittenCalls


class PostgresForks:
    """Creates runs that begin with the events of another."""

    _database: Database

    async def fork_run(self, run: ForkedRun, *, audit: AuditFacts | None = None) -> Posted:
        """One statement, after a look at the row of events across the cut, which never changes."""
        result = await self._database.fetch("fork_run", await self._stored_fork(run, audit))
        return Posted(result[0][0])

    async def length_of(self, run_id: RunId) -> int:
        found = await self._database.fetch("length_of", (run_id,))
        return int(found[0][0]) + length_of(found[0][1]) if found else 0

    async def forks_of(self, roots: Sequence[RunId]) -> list[StoredFork]:
        found = await self._database.fetch("forks_of", (packed_arrays.uuids(roots),))
        return [
            StoredFork(RunId(fork), RunId(origin), RunId(root), events, is_lost)
            for fork, origin, root, events, is_lost in found
        ]

    async def _stored_fork(self, run: ForkedRun, audit: AuditFacts | None) -> tuple[Any, ...]:
        cut = len(run.prefix)
        copied = await self._copied(run.origin, cut)
        rows = list(rows_of([*run.prefix[copied:], run.forked], WrittenCalls(0)))
        kept = [
            kind
            for kind, is_kept in (
                (InboxKind.SIGNAL, run.keeps_signals),
                (InboxKind.CANCEL, run.succeeds),
                # A result that is stored is not lost: the call need not run again.
                (InboxKind.ACTIVITY_COMPLETED, True),
            )
            if is_kept
        ]
        return (
            run.id,
            run.origin,
            run.succeeds,
            run.version,
            int(run.seen.state),
            run.seen.events,
            cut,
            copied,
            packed_arrays.integers([row[0] for row in rows]),
            packed_arrays.smallints([row[1] for row in rows]),
            packed_arrays.timestamps([row[2] for row in rows]),
            packed_arrays.byteas([row[3] for row in rows]),
            packed_arrays.smallints([mail.kind for mail in run.mail]),
            packed_arrays.texts([mail.name for mail in run.mail]),
            packed_arrays.texts([mail.key for mail in run.mail]),
            packed_arrays.byteas([stored_body(mail.kind, mail.body) for mail in run.mail]),
            packed_arrays.uuids(run.children),
            run.seen.parent_next,
            packed_arrays.texts(run.published),
            packed_arrays.smallints(kept),
            packed_arrays.uuids([id for id, _ in run.relatives]),
            packed_arrays.integers([events for _, events in run.relatives]),
            stored_facts(audit),
        )

    async def _copied(self, origin: RunId, cut: int) -> int:
        """Return up to which event rows are copied as they are: all that end before the cut."""
        found = await self._database.fetch("event_row_before", (origin, cut))
        if not found:
            return 0
        seq, type = found[0]
        return int(seq) if seq + length_of(type) > cut else cut
