"""The part of the port about statistics: what nodes have counted, by minute, by hour and for ever.

Nodes add with the renewals of their leases (`Workers.renew`). Statistics are for people: a process that is
killed takes those of one renewal interval with it, a renewal whose answer is lost may add twice, and nothing
that decides may read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from continuum.errors import InvalidOption
from continuum.journal.limits import HOURS_KEPT_SECONDS, MINUTES_KEPT_SECONDS, MOST_STAT_STEPS
from continuum.telemetry.tallies import Tally

MICROSECONDS = 1_000_000
MINUTE, HOUR = 60, 3600
# A longer time is read from the hours: a chart has no room for more points.
LONGEST_IN_MINUTES = 6 * HOUR


@dataclass(frozen=True, slots=True)
class StatsWanted:
    """Which statistics to read.

    `since` and `until` are on the journal's clock, in microseconds; what began at `until` is left out.
    `metrics` are names as in `telemetry/metrics.py`, such as `run.duration`. `subject` is one workflow,
    activity or queue; without it, all of them are read, each by itself if `by_subject`, else added up. `step`
    is in seconds: how much time one row covers, a multiple of a minute; None adds the whole time up.
    """

    since: int
    until: int
    metrics: Sequence[str]
    subject: str | None = None
    by_subject: bool = True
    step: int | None = None

    def __post_init__(self) -> None:
        if self.step is not None and (self.step < MINUTE or self.step % MINUTE):
            raise InvalidOption(f"a step of statistics is a number of minutes, not {self.step} s")
        if self.step is not None and self.seconds > self.step * MOST_STAT_STEPS:
            raise InvalidOption(
                f"statistics have at most {MOST_STAT_STEPS} steps; take longer ones, or a shorter time"
            )

    @property
    def seconds(self) -> float:
        """Return how long the time is that is read."""
        return (self.until - self.since) / MICROSECONDS

    def period(self, now: int) -> int:
        """Return whether minutes or hours answer this: short and recent times are read from minutes."""
        recent = self.since >= now - MINUTES_KEPT_SECONDS * MICROSECONDS
        return MINUTE if recent and self.seconds <= LONGEST_IN_MINUTES else HOUR


class Stat(NamedTuple):
    """What was counted of one series from `at` on, for one step or for the whole time."""

    at: int
    tally: Tally


class Statistics(Protocol):
    """What nodes have counted."""

    async def stats(self, wanted: StatsWanted) -> list[Stat]:
        """Return statistics, the earliest first; those of a time without any are left out.

        Minutes are kept for a day, hours for five weeks. A time of more than six hours, or an earlier one, is
        read from the hours that begin in it. Rows are bounded: without steps there is one for each series.
        """
        ...

    async def stat_totals(self) -> list[Tally]:
        """Return all that has ever been counted: sums that grow only."""
        ...


KEPT_SECONDS = {MINUTE: MINUTES_KEPT_SECONDS, HOUR: HOURS_KEPT_SECONDS}
