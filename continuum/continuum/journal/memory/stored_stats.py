"""The table of statistics of the memory journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from continuum.journal.stat_port import HOUR, KEPT_SECONDS, MICROSECONDS, MINUTE
from continuum.telemetry.tallies import Sums, Tally


class StoredStatistics:
    """What was counted, by period in seconds (0 for ever), the beginning of the period, and series."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int, str, str, str], Tally] = {}

    def add(self, now: int, counted: Sequence[Tally]) -> None:
        """Add what a node has counted."""
        sums = Sums()
        sums.add(counted)
        for tally in sums.all():
            for period in (0, MINUTE, HOUR):
                since = now - now % (period * MICROSECONDS) if period else 0
                place = (period, since, *tally[:3])
                known = self._rows.get(place)
                self._rows[place] = tally if known is None else known.plus(tally)

    def of(self, period: int) -> Iterator[tuple[int, Tally]]:
        """Yield the rows of a period, each with its beginning."""
        return ((place[1], tally) for place, tally in self._rows.items() if place[0] == period)

    def sweep(self, now: int) -> None:
        """Remove what is kept no longer."""
        before = {period: now - seconds * MICROSECONDS for period, seconds in KEPT_SECONDS.items()}
        self._rows = {
            place: tally for place, tally in self._rows.items() if place[1] >= before.get(place[0], 0)
        }
