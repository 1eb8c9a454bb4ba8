"""Tallies: what has been counted of one series, on its way from a process to those who add it up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from continuum.telemetry.buckets import added
from continuum.telemetry.metrics import METRIC_OF_NAME, MOST_NAMES, OTHER


class Tally(NamedTuple):
    """What was counted of a metric with these labels.

    `metric` is the name in `metrics.py`, `subject` the value of its first label and `outcome` that of its
    second, each "" without such a label. `number` is how often, `total` the sum of the values of a histogram.
    `buckets` ends with the last one that is not empty; a counter has none.
    """

    metric: str
    subject: str
    outcome: str
    number: int
    total: float = 0.0
    buckets: tuple[int, ...] = ()

    def plus(self, other: Tally) -> Tally:
        """Return the sum of two tallies of one series."""
        return self._replace(
            number=self.number + other.number,
            total=self.total + other.total,
            buckets=added(self.buckets, other.buckets),
        )


class Names:
    """The values of one label that have a series of their own, in all metrics: those that came first."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def series_of(self, name: str) -> str:
        """Return the name, or `other`."""
        if name not in self._names:
            if len(self._names) >= MOST_NAMES:
                return OTHER
            self._names.add(name)
        return name


class Sums:
    """Adds up the tallies of several processes. What is beyond the limit of names becomes `other`."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str], Tally] = {}
        # By label.
        self._names: defaultdict[str, Names] = defaultdict(Names)

    def add(self, tallies: Iterable[Tally]) -> None:
        """Add what was counted since the last time."""
        for given in tallies:
            metric = METRIC_OF_NAME.get(given.metric)
            if metric is None:
                # A process of another release counts it.
                continue
            tally = given
            if metric.labels:
                tally = given._replace(subject=self._names[metric.labels[0]].series_of(given.subject))
            known = self._sums.get(tally[:3])
            self._sums[tally[:3]] = tally if known is None else known.plus(tally)

    def all(self) -> list[Tally]:
        """Return everything that was added."""
        return list(self._sums.values())

    def take(self) -> list[Tally]:
        """Return everything that was added since the last time."""
        taken = self.all()
        self._sums.clear()
        return taken
