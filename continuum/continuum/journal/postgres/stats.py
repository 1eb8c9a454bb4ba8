"""Statistics: what nodes have counted, added by renewals and read for people."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from continuum.errors import SchemaOutOfDate
from continuum.journal.limits import MOST_STAT_ROWS, RENEWALS_IN_A_LEASE, SILENCE_SECONDS
from continuum.journal.postgres.connections import Database, Rows
from continuum.journal.stat_port import Stat, StatsWanted
from continuum.telemetry.tallies import Sums, Tally

log = logging.getLogger("continuum.journal")


class PostgresStatistics:
    """The statistics of the journal."""

    _database: Database

    async def stats(self, wanted: StatsWanted) -> list[Stat]:
        rows = await self._database.fetch(
            "stats",
            {
                "since": wanted.since,
                "until": wanted.until,
                "metrics": list(wanted.metrics),
                "subject": wanted.subject,
                "by_subject": wanted.by_subject,
                "step": wanted.step or 0,
                "period": wanted.period(self._database.now()),
                "limit": MOST_STAT_ROWS,
            },
        )
        return [Stat(at, _tally(*row)) for at, *row in reversed(rows)]

    async def stat_totals(self) -> list[Tally]:
        return [_tally(*row) for row in await self._database.fetch("stat_totals", (MOST_STAT_ROWS,))]


async def renew(database: Database, given: Mapping[str, Any], ttl: float, counted: Sequence[Tally]) -> Rows:
    """Renew leases, and add statistics if there are any: one statement.

    Without the table of statistics the leases are renewed all the same, with another one.
    """
    silence = min(SILENCE_SECONDS, ttl / RENEWALS_IN_A_LEASE)
    if counted:
        sums = Sums()
        sums.add(counted)
        try:
            return await database.fetch_apart(
                "renew_counting", {**given, "counted": json.dumps(sums.all())}, silence=silence
            )
        except SchemaOutOfDate as error:
            log.warning("statistics are lost: %s", error)
    return await database.fetch_apart("renew", given, silence=silence)


def _tally(
    metric: str,
    subject: str,
    outcome: str,
    number: float,
    total: float,
    buckets: Sequence[float | None],
) -> Tally:
    found = [_whole(bucket) for bucket in buckets]
    while found and not found[-1]:
        found.pop()
    return Tally(
        metric, subject, outcome, _whole(number), total if math.isfinite(total) else 0.0, tuple(found)
    )


def _whole(number: float | None) -> int:
    """Return a stored number; what somebody wrote by hand may be none."""
    return int(number) if number is not None and math.isfinite(number) and number > 0 else 0
