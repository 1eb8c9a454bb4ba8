"""Statistics: what nodes have counted, by minute, by hour and for ever."""

from __future__ import annotations

from collections.abc import Iterable

from continuum.journal.limits import MOST_STAT_ROWS
from continuum.journal.memory.tables import MemoryTables
from continuum.journal.stat_port import MICROSECONDS, Stat, StatsWanted
from continuum.telemetry.tallies import Tally


class MemoryStatistics(MemoryTables):
    """Reads statistics; renewals add to them, and sweeps remove what is old."""

    async def stats(self, wanted: StatsWanted) -> list[Stat]:
        """Return statistics, the earliest first."""
        found = _added(self._statistics.of(wanted.period(self.now())), wanted)
        return found[-MOST_STAT_ROWS:]

    async def stat_totals(self) -> list[Tally]:
        """Return all that has ever been counted."""
        return sorted(tally for _, tally in self._statistics.of(0))[:MOST_STAT_ROWS]


def _added(rows: Iterable[tuple[int, Tally]], wanted: StatsWanted) -> list[Stat]:
    """Return the rows that are wanted, those of one step and one series added up."""
    step = None if wanted.step is None else wanted.step * MICROSECONDS
    sums: dict[tuple[int, str, str, str], Tally] = {}
    for since, tally in rows:
        if not wanted.since <= since < wanted.until or tally.metric not in wanted.metrics:
            continue
        if wanted.subject not in (None, tally.subject):
            continue
        at = wanted.since if step is None else since - (since - wanted.since) % step
        kept = tally if wanted.by_subject else tally._replace(subject="")
        place = (at, kept.metric, kept.subject, kept.outcome)
        sums[place] = sums[place].plus(kept) if place in sums else kept
    return [Stat(place[0], tally) for place, tally in sorted(sums.items())]
