"""The measures of one process: plain numbers in dictionaries, which a step only adds to.

To observe a value is a look into a dictionary, a bisection and two additions; nothing is formatted, and
nothing is kept but the cells of a series. They are used in one loop. `drain` takes what was added since then;
where nobody drains, as in tests of workflows, they grow no more than the names.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from continuum.telemetry.buckets import SECONDS
from continuum.telemetry.metrics import (
    ACTIVITY_DURATION,
    CLAIM_DELAY,
    COMMIT_BATCH,
    COMMIT_DURATION,
    LEASE_LOST,
    PROCESS_RESTARTS,
    QUEUE_WAIT,
    REPLAY_DURATION,
    RUN_DURATION,
    RUN_ENDED,
    RUN_STARTED,
    TIMER_LATENESS,
    Metric,
)
from continuum.telemetry.tallies import Names, Tally


class Series:
    """The series of one metric and one outcome, by subject.

    The cells of one are its buckets, one for each bound and one more, then the sum of the values. A counter
    has no bounds, so that its one bucket is its number.
    """

    __slots__ = ("_bounds", "_metric", "_names", "_outcome", "cells")

    def __init__(self, metric: Metric, names: Names, outcome: str = "") -> None:
        self._metric = metric
        self._bounds = metric.bounds
        self._names = names
        self._outcome = outcome
        self.cells: dict[str, list[float]] = {}

    def observe(self, subject: str, value: float) -> None:
        """Add a value; one below 0, as two clocks may give, counts as 0."""
        try:
            cells = self.cells[subject]
        except KeyError:
            cells = self.cells_of(subject)
        if value < 0.0:
            value = 0.0
        cells[bisect_left(self._bounds, value)] += 1
        cells[-1] += value

    def count(self, subject: str) -> None:
        """Add one to a counter."""
        (self.cells.get(subject) or self.cells_of(subject))[0] += 1

    def cells_of(self, subject: str) -> list[float]:
        """Return the cells of a subject that has none yet."""
        series = self._names.series_of(subject)
        return self.cells.setdefault(series, [0] * (len(self._bounds) + 2))

    def drain(self) -> Iterator[Tally]:
        """Yield what was added since the last time."""
        for subject, cells in self.cells.items():
            number = int(sum(cells[:-1]))
            if number:
                buckets = cells[:-1] if self._bounds else []
                while buckets and not buckets[-1]:
                    buckets.pop()
                total = float(cells[-1])
                yield Tally(
                    self._metric.name, subject, self._outcome, number, total, tuple(map(int, buckets))
                )
                cells[:] = [0] * len(cells)


class Measures:
    """Counts what the actors of a process report, times in seconds. Each step makes two of these calls."""

    def __init__(self) -> None:
        workflows, self._activities = Names(), Names()
        rest = Names()
        self._workflows = workflows
        self._started = Series(RUN_STARTED, workflows)
        self._durations = Series(RUN_DURATION, workflows)
        self._claims = Series(CLAIM_DELAY, rest)
        self._queues = Series(QUEUE_WAIT, Names())
        self._commits = Series(COMMIT_DURATION, rest)
        self._batches = Series(COMMIT_BATCH, rest)
        self._replays = Series(REPLAY_DURATION, rest)
        self._timers = Series(TIMER_LATENESS, rest)
        self._restarts = Series(PROCESS_RESTARTS, Names())
        self._leases = Series(LEASE_LOST, rest)
        # By outcome.
        self._ended: dict[str, Series] = {}
        self._attempts: dict[str, Series] = {}
        self._attempt_cells: dict[str, dict[str, list[float]]] = {}
        # Without a call in between. The first step of a run, of this workflow, is durable.
        self.run_started = self._started.count
        # An activity task of this queue is claimed, so long after it was due.
        self.task_claimed = self._queues.observe
        # A process of the node, of this role, has died and is started again.
        self.process_restarted = self._restarts.count

    def run_ended(self, workflow: str, state: str, seconds: float, /) -> None:
        """The end of a run is durable, so long after its start."""
        ended = self._ended.get(state)
        if ended is None:
            ended = self._ended[state] = Series(RUN_ENDED, self._workflows, state)
        ended.count(workflow)
        self._durations.observe(workflow, seconds)

    def run_claimed(self, seconds: float, /) -> None:
        """A process begins a run, so long after its start."""
        self._claims.observe("", seconds)

    def activity_ended(self, activity: str, outcome: str, seconds: float, /) -> None:
        """An attempt has ended: completed, failed or timed_out."""
        # As `observe` does it, without the calls: each step passes here.
        try:
            cells = self._attempt_cells[outcome][activity]
        except KeyError:
            cells = self._cells_of_attempt(activity, outcome)
        cells[bisect_left(SECONDS, seconds)] += 1
        cells[-1] += seconds

    def _cells_of_attempt(self, activity: str, outcome: str) -> list[float]:
        attempts = self._attempts.get(outcome)
        if attempts is None:
            attempts = self._attempts[outcome] = Series(ACTIVITY_DURATION, self._activities, outcome)
            self._attempt_cells[outcome] = attempts.cells
        return attempts.cells_of(activity)

    def committed(self, events: int, seconds: float, /) -> None:
        """A group commit is durable."""
        self._commits.observe("", seconds)
        self._batches.observe("", events)

    def replayed(self, seconds: float, /) -> None:
        """A history has been replayed."""
        self._replays.observe("", seconds)

    def timer_fired(self, late: float, /) -> None:
        """A timer wakes a run, so long after it was due."""
        self._timers.observe("", late)

    def lease_lost(self) -> None:
        """The worker lease of this process was taken away."""
        self._leases.count("")

    def drain(self) -> list[Tally]:
        """Return what was counted since the last time."""
        every = (
            *(self._started, self._durations, self._claims, self._queues, self._commits, self._batches),
            *(self._replays, self._timers, self._restarts, self._leases),
            *self._ended.values(),
            *self._attempts.values(),
        )
        return [tally for series in every for tally in series.drain()]
