"""Throughput of many runs at once, beside the floor, in one process and in two."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from bench.database import Server, fresh_schema
from bench.processes import node, run_program, run_together
from bench.series import median_ratio
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]
RUN_HOSTS = 2


def one_process(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Floor: one process. Engine: one process that holds the run host and the client."""
    return _compare(sizes, tell, lambda *a: _floor(server, 1, *a), lambda *a: _embedded(server, *a))


def two_processes(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Floor: two processes, half the runs each. Engine: a node with two run hosts, and a separate client."""
    return _compare(sizes, tell, lambda *a: _floor(server, RUN_HOSTS, *a), lambda *a: _node(server, *a))


def _compare(
    sizes: Sizes, tell: Tell, floor: Callable[[int, int], float], engine: Callable[[int, int], float]
) -> Results:
    results: Results = {}
    for steps, runs in sizes.throughput.items():
        pairs: list[tuple[float, float]] = []
        for _ in range(sizes.rounds):
            pairs.append((runs / floor(steps, runs), runs / engine(steps, runs)))
            tell(f"{steps} steps: floor {pairs[-1][0]:,.0f} runs/s, engine {pairs[-1][1]:,.0f} runs/s")
        floors, engines = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        results[str(steps)] = {
            "runs": runs,
            "floor_runs_per_second": median(floors),
            "engine_runs_per_second": median(engines),
            "engine_steps_per_second": median(engines) * steps,
            "ratio": median_ratio(engines, floors),
            "pairs": pairs,
        }
    return results


def _floor(server: Server, processes: int, steps: int, runs: int) -> float:
    with fresh_schema(server.dsn) as schema:
        share = {"dsn": server.dsn, "schema": schema, "steps": steps, "runs": runs // processes}
        measured = run_together("floor_throughput", [share] * processes)
    seconds = max(each["end"] for each in measured) - min(each["begin"] for each in measured)
    # The remainder of the division was not run.
    return float(seconds * runs / (runs // processes * processes))


def _embedded(server: Server, steps: int, runs: int) -> float:
    with fresh_schema(server.dsn) as schema:
        return _engine(server, schema, steps, runs, embedded=True)


def _node(server: Server, steps: int, runs: int) -> float:
    with (
        fresh_schema(server.dsn) as schema,
        node(dsn=server.dsn, schema=schema, run_hosts=RUN_HOSTS, activity_hosts=0),
    ):
        return _engine(server, schema, steps, runs, embedded=False)


def _engine(server: Server, schema: str, steps: int, runs: int, *, embedded: bool) -> float:
    each = run_program(
        "engine_throughput", dsn=server.dsn, schema=schema, embedded=embedded, steps=steps, runs=runs
    )
    return float(each["end"] - each["begin"])
