"""The metrics: a closed list of OpenTelemetry names, units and labels, and what each one means.

Nothing else is counted, and no label is an id: a label has the values that the code has names for, or states
that are listed here. `docs/metrics.md` shows the same list; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from continuum.telemetry.buckets import EVENTS, SECONDS

# The workflows, activities and queues of a process that have a series of their own: those it meets first.
# A chart with more lines than this is of no use, and a time-series store pays for each.
MOST_NAMES = 200
# The label of all others.
OTHER = "other"


class Kind(Enum):
    """How the values of a metric are to be read."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is without the prefix `continuum.`; `unit` is OpenTelemetry's, such as `s`.

    The first label is the `subject` of a `Tally`, the second its `outcome`. `bounds` are those of the buckets
    of a histogram. `stored` says that nodes add it to the statistics; the others are read from the journal.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str
    bounds: tuple[float, ...] = ()
    stored: bool = True

    @property
    def otel_name(self) -> str:
        """Return the whole name."""
        return f"continuum.{self.name}"


def _counter(name: str, unit: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(name, Kind.COUNTER, unit, labels, meaning)


def _seconds(name: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, "s", labels, meaning, SECONDS)


def _gauge(name: str, unit: str, labels: tuple[str, ...], meaning: str) -> Metric:
    return Metric(name, Kind.GAUGE, unit, labels, meaning, stored=False)


RUN_STARTED = _counter(
    "run.started", "{run}", ("workflow",), "Runs whose first step has been executed and is durable."
)
RUN_ENDED = _counter(
    "run.ended",
    "{run}",
    ("workflow", "state"),
    "Runs whose code has ended, as completed, failed, cancelled or continued. What ends without its code, "
    "such as a run that is cancelled by force, is not counted.",
)
RUN_DURATION = _seconds("run.duration", ("workflow",), "From the start of a run to the end of its code.")
RUN_OPEN = _gauge(
    "run.open",
    "{run}",
    ("state",),
    "Runs that have not ended: running, suspended or blocked; counted up to a limit.",
)
RUN_OLDEST_DUE = _gauge(
    "run.oldest_due",
    "s",
    (),
    "How long the run that waits longest for a process has been due; 0 if none is due.",
)
ACTIVITY_DURATION = _seconds(
    "activity.duration",
    ("activity", "outcome"),
    "One attempt of an activity, as completed, failed or timed_out. Attempts that a stop interrupts, or that "
    "die with their process, have no outcome and are not counted.",
)
QUEUE_DEPTH = _gauge(
    "queue.depth",
    "{task}",
    ("queue",),
    "Activity tasks of a queue that no process has claimed; counted up to a limit.",
)
QUEUE_WAIT = _seconds(
    "queue.wait", ("queue",), "From the time that an activity task is due to its claim by a process."
)
CLAIM_DELAY = _seconds(
    "claim.delay", (), "From the start of a run to the time that a process begins its first step."
)
COMMIT_DURATION = _seconds("commit.duration", (), "One group commit of a run host, repetitions included.")
COMMIT_BATCH = Metric(
    "commit.batch", Kind.HISTOGRAM, "{event}", (), "Events in one group commit of a run host.", EVENTS
)
REPLAY_DURATION = _seconds(
    "replay.duration", (), "The replay of one history through its code, when a run is resumed."
)
TIMER_LATENESS = _seconds(
    "timer.lateness", (), "From the time that a timer of a live run is due to its wake-up."
)
PROCESS_RESTARTS = _counter(
    "process.restarts", "{restart}", ("role",), "Processes of a node that died and were started again."
)
LEASE_LOST = _counter(
    "lease.lost", "{lease}", (), "Worker leases that a process found taken away while it lived."
)
FINDING = _gauge(
    "finding", "{finding}", ("code",), "Findings of `continuum health` that no one has reviewed."
)

METRICS = (
    RUN_STARTED,
    RUN_ENDED,
    RUN_DURATION,
    RUN_OPEN,
    RUN_OLDEST_DUE,
    ACTIVITY_DURATION,
    QUEUE_DEPTH,
    QUEUE_WAIT,
    CLAIM_DELAY,
    COMMIT_DURATION,
    COMMIT_BATCH,
    REPLAY_DURATION,
    TIMER_LATENESS,
    PROCESS_RESTARTS,
    LEASE_LOST,
    FINDING,
)
METRIC_OF_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}
