"""The cost of a step in a short run and in a long one: it must not grow with the history.

Runs execute one after the other in one process. The cost of a step is the difference to a
run without steps, divided by the number of steps. It is measured in time, most of which is
waiting for the commit, and in processor time, where growing work would show at once.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from bench.database import Server, fresh_schema
from bench.processes import run_program
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]


def cost_of_a_step(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure each length `rounds` times in turn, and the ratio of the longest to the shortest."""
    series: dict[int, list[tuple[float, float]]] = {steps: [] for steps in sizes.long_runs}
    for _ in range(sizes.rounds):
        base = _run(server, 0, 2 * max(sizes.long_runs.values()))
        for steps, runs in sizes.long_runs.items():
            wall, cpu = _run(server, steps, runs)
            series[steps].append(((wall - base[0]) / steps * 1e6, (cpu - base[1]) / steps * 1e6))
            step, step_cpu = series[steps][-1]
            tell(f"{steps:,} steps: {step:,.0f} us a step, {step_cpu:,.0f} us of them CPU")
    shortest, longest = min(series), max(series)
    results: Results = {
        str(steps): {
            "step_us": median(wall for wall, _ in rounds),
            "step_cpu_us": median(cpu for _, cpu in rounds),
        }
        for steps, rounds in series.items()
    }
    pairs = list(zip(series[longest], series[shortest], strict=True))
    results["longest_over_shortest"] = median(long[0] / short[0] for long, short in pairs)
    results["longest_over_shortest_cpu"] = median(long[1] / short[1] for long, short in pairs)
    return results


def _run(server: Server, steps: int, runs: int) -> tuple[float, float]:
    """Return seconds and processor seconds of a run."""
    with fresh_schema(server.dsn) as schema:
        measured = run_program(
            "engine_latency", dsn=server.dsn, schema=schema, embedded=True, steps=steps, runs=runs
        )
    return sum(measured["seconds"]) / runs, measured["cpu"] / runs
