"""The latency of one run at a time, in one process: from start to result, and from signal to result.

Beside the floor in one process, and the floor with a client in a process of its own, which bounds a node.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from bench.database import Server, fresh_schema
from bench.processes import program_beside, run_program
from bench.series import median_ratio, quantile
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]


def single_runs(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure runs of no, one and ten steps, one after the other, beside the floor."""
    results: Results = {}
    for steps, runs in sizes.latency.items():
        results[str(steps)] = _compare(server, sizes, "latency", {"steps": steps, "runs": runs})
        tell(f"{steps} steps: {_sentence(results[str(steps)])}")
    return results


def signal_round_trips(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure the time from `signal` to the result of the run that waited for it, beside the floor."""
    results = _compare(server, sizes, "signals", {"runs": sizes.signals})
    tell(_sentence(results))
    return results


def _compare(server: Server, sizes: Sizes, what: str, given: dict[str, Any]) -> Results:
    series: dict[str, list[list[float]]] = {"floor": [], "client_floor": [], "engine": []}
    for _ in range(sizes.rounds):
        for side, rounds in series.items():
            with fresh_schema(server.dsn) as schema, ExitStack() as stack:
                where: dict[str, Any] = {"dsn": server.dsn, "schema": schema, "embedded": True}
                if side == "client_floor":
                    stack.enter_context(program_beside("floor_worker", **where))
                rounds.append(run_program(f"{side}_{what}", **where, **given)["seconds"])
    results: Results = {}
    for side, rounds in series.items():
        every = [seconds * 1e3 for one in rounds for seconds in one]
        results[f"{side}_p50_ms"] = quantile(every, 0.5)
        results[f"{side}_p99_ms"] = quantile(every, 0.99)
    medians = [[quantile(one, 0.5) for one in series[side]] for side in ("engine", "floor")]
    results["ratio"] = median_ratio(*medians)
    return results


def _sentence(figures: Results) -> str:
    return (
        f"floor p50 {figures['floor_p50_ms']:.2f} p99 {figures['floor_p99_ms']:.2f} ms, "
        f"with a client {figures['client_floor_p50_ms']:.2f} and {figures['client_floor_p99_ms']:.2f} ms, "
        f"engine p50 {figures['engine_p50_ms']:.2f} p99 {figures['engine_p99_ms']:.2f} ms"
    )
