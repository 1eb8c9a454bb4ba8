"""The figures to reach, and the result that each is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Results = dict[str, Any]
PERCENT_OF_FLOOR = 35
# The host measures itself in pages, and its allocator returns memory at any time: a difference
# smaller than this, over thousands of runs, counts as nothing.
NOTHING_BYTES = 64
LONG_RUN = "10000"


@dataclass(frozen=True, slots=True)
class Target:
    """One figure to reach. `read` takes it from a section's results; `reached` compares it."""

    figure: str
    target: str
    section: str
    read: Callable[[Results], float]
    show: Callable[[float], str]
    reached: Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target with the measured figure."""

    figure: str
    target: str
    measured: str
    reached: bool
    section: str


def _percent(value: float) -> str:
    return f"{value * 100:.0f} % of the floor"


def _throughput(figure: str, section: str, steps: str) -> Target:
    return Target(
        figure,
        f"at least {PERCENT_OF_FLOOR} % of the floor",
        section,
        lambda results: float(results[steps]["ratio"]),
        _percent,
        lambda value: value >= PERCENT_OF_FLOOR / 100,
    )


def _latency(figure: str, steps: str, limit: float) -> Target:
    return Target(
        figure,
        f"at most {limit:g} times the floor",
        "latency",
        lambda results: float(results[steps]["ratio"]),
        lambda value: f"{value:.2f} times the floor",
        lambda value: value <= limit,
    )


def _median_or_tail(figure: str, section: str, row: str, name: str, limit: float) -> Target:
    return Target(
        figure,
        f"at most {limit:g} ms",
        section,
        lambda results: float(results[row][name]),
        lambda value: f"{value:.1f} ms",
        lambda value: value <= limit,
    )


def _start(figure: str, name: str, limit: float) -> Target:
    return _at_most(
        figure, f"at most {limit:,g} ms", "startup", name, limit, lambda value: f"{value:,.0f} ms"
    )


def _at_most(
    figure: str, target: str, section: str, name: str, limit: float, show: Callable[[float], str]
) -> Target:
    return Target(
        figure, target, section, lambda results: float(results[name]), show, lambda value: value <= limit
    )


TARGETS = (
    _throughput("10-step runs, throughput, one process", "throughput", "10"),
    _throughput("10-step runs, throughput, node of two run hosts", "node", "10"),
    _throughput("no-op runs, throughput, one process", "throughput", "0"),
    _throughput("no-op runs, throughput, node of two run hosts", "node", "0"),
    _latency("single 10-step run, latency, one process", "10", 1.1),
    _latency("single no-op run, latency, one process", "0", 2),
    Target(
        "single no-op run beside nodes of any size, statements",
        "at most 4",
        "lone",
        lambda results: max(float(row["statements"]) for row in results.values()),
        lambda value: f"{value:.1f}",
        # What a timer adds now and then is no statement of the run.
        lambda value: round(value) <= 4,
    ),
    Target(
        "single no-op run beside a node of two run hosts, everybody's processor time",
        "at most 2.5 ms",
        "lone",
        lambda results: float(results["2"]["cpu_ms"]),
        lambda value: f"{value:.1f} ms",
        lambda value: value <= 2.5,
    ),
    _at_most(
        "per-step cost in a 10,000-step run ÷ in a 10-step run, time",
        "at most 1.2",
        "steps",
        "longest_over_shortest",
        1.2,
        lambda value: f"{value:.2f}",
    ),
    _at_most(
        "the same, processor time",
        "at most 1.2",
        "steps",
        "longest_over_shortest_cpu",
        1.2,
        lambda value: f"{value:.2f}",
    ),
    _at_most(
        "kill -9 of a run host: first resumed progress",
        "at most 500 ms",
        "recovery",
        "first_progress_ms",
        500,
        lambda value: f"{value:.0f} ms",
    ),
    _at_most(
        "evicted suspended run",
        "0 bytes",
        "memory",
        "evicted_bytes_per_run",
        NOTHING_BYTES,
        lambda value: f"{value:,.0f} bytes",
    ),
    _at_most(
        "live suspended run",
        "at most 5 KiB",
        "memory",
        "live_bytes_per_run",
        5_120,
        lambda value: f"{value / 1024:.1f} KiB",
    ),
    _median_or_tail(
        "parent of 100 children, node of one run host, median", "children", "1 hosts", "p50_ms", 40
    ),
    _median_or_tail(
        "parent of 100 children, node of two run hosts, median", "children", "2 hosts", "p50_ms", 40
    ),
    _median_or_tail("1,000 timers at one instant, p99 late", "timers", "1000 live", "p99_ms", 60),
    _start("import continuum", "continuum_ms", 150),
    _start("continuum start", "start_ms", 350),
    _start("node of four run hosts: the first run has ended", "accepts_ms", 800),
    _start("node of four run hosts: all processes are ready", "ready_ms", 1_200),
    _at_most(
        "idle node, queries",
        "at most 2 a second",
        "idle",
        "queries_per_second",
        2,
        lambda value: f"{value:.2f} a second",
    ),
    _at_most(
        "idle node without LISTEN, statements",
        "at most 2 a second",
        "idle",
        "queries_without_listen",
        2,
        lambda value: f"{value:.2f} a second",
    ),
    _at_most("scan of a workflow", "at most 5 ms", "model", "scan_ms", 5, lambda value: f"{value:.2f} ms"),
    _at_most("making a run's loop", "at most 30 µs", "model", "loop_us", 30, lambda value: f"{value:.1f} µs"),
    Target(
        "replay from memory",
        "at least 100,000 events/s",
        "model",
        lambda results: float(results["events_per_second"]),
        lambda value: f"{value:,.0f} events/s",
        lambda value: value >= 100_000,
    ),
    Target(
        "resume of 50,000 events of activities, from events ÷ from a snapshot",
        "at least 10",
        "model",
        lambda results: float(results["resume_activities"]["ratio"]),
        lambda value: f"{value:.1f}",
        lambda value: value >= 10,
    ),
    _at_most("idle node, processor", "at most 1 %", "idle", "cpu_percent", 1, lambda value: f"{value:.2f} %"),
)


def verdicts(sections: Results) -> Iterator[Verdict]:
    """Return a verdict for every target whose section was measured in the necessary size."""
    for target in TARGETS:
        if target.section == "steps" and LONG_RUN not in sections.get("steps", {}):
            continue
        try:
            value = target.read(sections[target.section])
        except KeyError:
            continue
        yield Verdict(target.figure, target.target, target.show(value), target.reached(value), target.section)
