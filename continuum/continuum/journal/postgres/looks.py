"""Looks: one statement that tells a node without LISTEN what it would be notified of."""

from __future__ import annotations

from continuum.engine.ids import RunId
from continuum.journal.limits import FOREIGN_GRACE_SECONDS
from continuum.journal.look_port import LookedFor, Seen
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.packed_code import optional_texts, packed_code


class PostgresLooks:
    """The looks of the journal."""

    _database: Database

    async def look(self, wanted: LookedFor, after: int | None) -> Seen:
        rows = await self._database.fetch_bare(
            "look",
            (
                wanted.node,
                packed_arrays.bigints(wanted.workers),
                *packed_code(wanted.code),
                FOREIGN_GRACE_SECONDS,
                packed_arrays.texts(wanted.activities),
                optional_texts(wanted.namespaces),
                after,
            ),
        )
        due, tasks, mail, mailed, newest, suspects, at, paused = rows[0]
        self._database.learn_time(at)
        named = None if mail is None else dict(zip(mail, map(RunId, mailed), strict=True))
        return Seen(due, tasks, named, newest, suspects, paused)
