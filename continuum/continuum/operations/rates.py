"""`read_rates`: how many runs start and end a minute and how long they take, from the statistics.

Statistics are for people (`stat_port.py`): nothing here decides anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from continuum.journal.stat_port import MICROSECONDS, MINUTE, Stat, Statistics, StatsWanted
from continuum.telemetry.buckets import added, quantile
from continuum.telemetry.metrics import ACTIVITY_DURATION, RUN_DURATION, RUN_ENDED, RUN_STARTED

# An hour, minute by minute, is what a person looks at to see whether something is the matter now.
SHOWN_SECONDS = 3600
# Quantiles of fewer runs than some minutes have are noise.
DURATION_STEP = 300


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took: half of `number` took `p50` seconds at most, 99 of 100 took `p99`."""

    number: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Rates:
    """Runs by minute for an hour, from `since` on, in microseconds; the last minute is not over.

    `durations` are of five minutes each, `all_durations` of the whole time. With `counted` False nobody has
    counted anything in this time.
    """

    since: int
    started: Sequence[int]
    completed: Sequence[int]
    failed: Sequence[int]
    durations: Sequence[Durations]
    all_durations: Durations
    counted: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Runs of one workflow within the last hour."""

    started: int
    completed: int
    failed: int
    durations: Durations


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts of an activity within the last hour: how they ended, by outcome, and how long they took."""

    activity: str
    outcomes: dict[str, int]
    durations: Durations


async def read_rates(journal: Statistics, now: int, workflow: str | None = None) -> Rates:
    """Return how many runs of a workflow, or of all, started and ended in each minute of the last hour."""
    since, until = shown_time(now)
    found = await journal.stats(
        StatsWanted(
            since,
            until,
            [RUN_STARTED.name, RUN_ENDED.name, RUN_DURATION.name],
            subject=workflow,
            by_subject=False,
            step=MINUTE,
        )
    )
    return rates_of(found, since, until)


def shown_time(now: int) -> tuple[int, int]:
    """Return the hour that is shown: until the end of the present minute."""
    minute = MINUTE * MICROSECONDS
    until = now - now % minute + minute
    return until - SHOWN_SECONDS * MICROSECONDS, until


def rates_of(found: Iterable[Stat], since: int, until: int) -> Rates:
    """Return the rates that statistics by minute have."""
    minutes = (until - since) // (MINUTE * MICROSECONDS)
    started, completed, failed = ([0] * minutes for _ in range(3))
    buckets: defaultdict[int, tuple[int, ...]] = defaultdict(tuple)
    counted = False
    for at, tally in found:
        place = (at - since) // (MINUTE * MICROSECONDS)
        if not 0 <= place < minutes:
            continue
        counted = True
        if tally.metric == RUN_STARTED.name:
            started[place] += tally.number
        elif tally.metric == RUN_DURATION.name:
            step = place * MINUTE // DURATION_STEP
            buckets[step] = added(buckets[step], tally.buckets)
        elif tally.outcome == "completed":
            completed[place] += tally.number
        elif tally.outcome == "failed":
            failed[place] += tally.number
    steps = [_durations(buckets[step]) for step in range(minutes * MINUTE // DURATION_STEP)]
    every: tuple[int, ...] = ()
    for each in buckets.values():
        every = added(every, each)
    return Rates(since, started, completed, failed, steps, _durations(every), counted)


async def read_totals(journal: Statistics, now: int) -> dict[str, Totals]:
    """Return how many runs of each workflow started and ended within the last hour, by workflow."""
    since, until = shown_time(now)
    metrics = [RUN_STARTED.name, RUN_ENDED.name, RUN_DURATION.name]
    numbers: defaultdict[str, dict[str, int]] = defaultdict(dict)
    buckets: defaultdict[str, tuple[int, ...]] = defaultdict(tuple)
    for _, tally in await journal.stats(StatsWanted(since, until, metrics)):
        if tally.metric == RUN_DURATION.name:
            buckets[tally.subject] = added(buckets[tally.subject], tally.buckets)
        else:
            what = tally.outcome if tally.metric == RUN_ENDED.name else "started"
            numbers[tally.subject][what] = tally.number
    return {
        name: Totals(
            numbers[name].get("started", 0),
            numbers[name].get("completed", 0),
            numbers[name].get("failed", 0),
            _durations(buckets[name]),
        )
        for name in {*numbers, *buckets}
    }


async def read_attempts(journal: Statistics, now: int) -> list[Attempts]:
    """Return the attempts of each activity within the last hour, those with the most first."""
    since, until = shown_time(now)
    found = await journal.stats(StatsWanted(since, until, [ACTIVITY_DURATION.name]))
    outcomes: defaultdict[str, dict[str, int]] = defaultdict(dict)
    buckets: defaultdict[str, tuple[int, ...]] = defaultdict(tuple)
    for _, tally in found:
        outcomes[tally.subject][tally.outcome] = tally.number
        buckets[tally.subject] = added(buckets[tally.subject], tally.buckets)
    attempts = [Attempts(name, ends, _durations(buckets[name])) for name, ends in outcomes.items()]
    return sorted(attempts, key=lambda each: (-each.durations.number, each.activity))


def _durations(buckets: Sequence[int]) -> Durations:
    return Durations(sum(buckets), quantile(buckets, 0.5), quantile(buckets, 0.99))
