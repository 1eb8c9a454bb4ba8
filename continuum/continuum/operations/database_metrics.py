"""`read_database_metrics`: the metrics of a whole database, as Prometheus reads them.

The counters are the sums of all nodes that there ever were. The gauges are read now. However large the
database is, that takes some tens of milliseconds: see `workload_port.py` and `health_port.py` for what is
counted up to which limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from continuum.journal.health_port import Health
from continuum.journal.stat_port import MICROSECONDS, Statistics
from continuum.journal.workload_port import OpenWork, QueueLoad, Workload
from continuum.operations.findings import Finding
from continuum.operations.health_check import check_health
from continuum.operations.health_codes import HEALTH_CODES
from continuum.telemetry.gauges import Gauge
from continuum.telemetry.metrics import (
    FINDING,
    MOST_NAMES,
    OTHER,
    QUEUE_DEPTH,
    RUN_OLDEST_DUE,
    RUN_OPEN,
)
from continuum.telemetry.tallies import Tally


class MeasuredJournal(Statistics, Workload, Health, Protocol):
    """The parts of a journal that are read."""

    def now(self) -> int:
        """Return the journal's time."""
        ...


class DatabaseMetrics(NamedTuple):
    """Counters and histograms of all nodes, and gauges."""

    tallies: Sequence[Tally]
    gauges: Sequence[Gauge]


async def read_database_metrics(journal: MeasuredJournal) -> DatabaseMetrics:
    """Return the metrics of a database."""
    tallies = await journal.stat_totals()
    backlog = await journal.backlog()
    waited = 0 if backlog.since is None else journal.now() - backlog.since
    gauges = [
        *_open_runs(await journal.open_work()),
        Gauge(RUN_OLDEST_DUE.name, "", max(waited, 0) / MICROSECONDS),
        *_queues(await journal.queue_loads()),
        *_findings((await check_health(journal)).findings),
    ]
    return DatabaseMetrics(tallies, gauges)


def _open_runs(work: OpenWork) -> Iterator[Gauge]:
    for state, number in work.states.items():
        yield Gauge(RUN_OPEN.name, state, number)


def _queues(loads: Sequence[QueueLoad]) -> Iterator[Gauge]:
    """Yield the depth of each queue, and of those beyond the limit of names together."""
    deepest = sorted(loads, key=lambda load: -load.waiting)
    for load in deepest[:MOST_NAMES]:
        yield Gauge(QUEUE_DEPTH.name, load.queue, load.waiting)
    if others := deepest[MOST_NAMES:]:
        yield Gauge(QUEUE_DEPTH.name, OTHER, sum(load.waiting for load in others))


def _findings(findings: Sequence[Finding]) -> Iterator[Gauge]:
    """Yield every code, also those without a finding: an alert ends when its value is 0."""
    numbers = Counter(finding.code for finding in findings)
    for code in HEALTH_CODES:
        yield Gauge(FINDING.name, code, numbers[code])
