"""The figures of the comparison: what is measured for each, and how it is read and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.series import quantile

Result = Mapping[str, Any]
KIB = 1024


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table. `measure` names one entry of `Work`; several rows may read the same one."""

    name: str
    title: str
    unit: str
    measure: str
    read: Callable[[Result], float]
    decimals: int = 1
    more_is_better: bool = False

    def show(self, value: float) -> str:
        """Return a value as text, without its unit."""
        return f"{value:,.{self.decimals}f}"


@dataclass(frozen=True, slots=True)
class Work:
    """How much is done for the figures, in each round; the same for every system."""

    latency: Mapping[int, int]
    signals: int
    throughput_seconds: float
    most_runs: int
    children: int
    parents: int
    timers: int
    timers_lead: float
    suspended: int
    killed_runs: int
    killed_steps: int

    def measures(self) -> dict[str, dict[str, Any]]:
        """Return what `driver` is to do, by name."""
        throughput = {"measure": "throughput", "seconds": self.throughput_seconds, "most": self.most_runs}
        return {
            **{
                f"latency_{steps}": {"measure": "latency", "steps": steps, "runs": runs}
                for steps, runs in self.latency.items()
            },
            "signals": {"measure": "signals", "runs": self.signals},
            "throughput_10": {**throughput, "steps": 10, "pilot": 20},
            "throughput_0": {**throughput, "steps": 0, "pilot": 50},
            "children": {"measure": "children", "children": self.children, "runs": self.parents},
            "timers": {"measure": "timers", "runs": self.timers, "lead": self.timers_lead},
            "memory": {"measure": "memory", "runs": self.suspended},
        }


FULL_WORK = Work(
    latency={0: 100, 1: 100, 10: 40},
    signals=60,
    throughput_seconds=3.0,
    most_runs=8_000,
    children=100,
    parents=5,
    timers=1_000,
    timers_lead=10.0,
    suspended=300,
    killed_runs=100,
    killed_steps=10,
)
TINY_WORK = Work(
    latency={0: 5, 1: 3, 10: 3},
    signals=3,
    throughput_seconds=0.1,
    most_runs=60,
    children=5,
    parents=1,
    timers=5,
    timers_lead=2.0,
    suspended=10,
    killed_runs=4,
    killed_steps=5,
)


def _p50_ms(result: Result) -> float:
    return quantile(result["seconds"], 0.5) * 1e3


def _cpu_us(result: Result) -> float:
    return float((result["processes_cpu"] + result["server_cpu"]) / (result["runs"] * 10) * 1e6)


FIGURES = (
    Figure("noop_p50", "no-op, start to result, p50", "ms", "latency_0", _p50_ms),
    Figure("one_step_p50", "1 step, start to result, p50", "ms", "latency_1", _p50_ms),
    Figure("ten_steps_p50", "10 steps, start to result, p50", "ms", "latency_10", _p50_ms),
    Figure("signal_p50", "signal to result, p50", "ms", "signals", _p50_ms),
    Figure(
        "signal_p99",
        "signal to result, p99",
        "ms",
        "signals",
        lambda result: quantile(result["seconds"], 0.99) * 1e3,
    ),
    Figure(
        "steps_per_second",
        "runs of 10 steps at once",
        "steps/s",
        "throughput_10",
        lambda result: result["runs"] * 10 / result["taken"],
        decimals=0,
        more_is_better=True,
    ),
    Figure(
        "runs_per_second",
        "no-op runs at once",
        "runs/s",
        "throughput_0",
        lambda result: result["runs"] / result["taken"],
        decimals=0,
        more_is_better=True,
    ),
    Figure("step_cpu", "processor time of a step, everybody's", "µs", "throughput_10", _cpu_us, decimals=0),
    Figure("children", "parent of 100 children", "ms", "children", _p50_ms),
    Figure(
        "timers",
        "1,000 timers at one instant, p99 late",
        "ms",
        "timers",
        lambda result: quantile(result["late"], 0.99) * 1e3,
        decimals=0,
    ),
    Figure(
        "killed", "kill -9 of everything until all is done", "s", "killed", lambda result: result["taken"], 2
    ),
    Figure("memory", "memory of a suspended live run", "KiB", "memory", lambda result: result["bytes"] / KIB),
)
