"""A run by itself on nodes of several sizes: latency, statements, and processor time of everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench import engine
from bench.database import Server, fresh_schema
from bench.processes import cpu_seconds, node, program_beside, run_program
from bench.series import quantile
from bench.sizes import Sizes
from bench.statements import counted_statements, server_seconds

Results = dict[str, Any]
Tell = Callable[[str], None]


def runs_by_number_of_hosts(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure no-op runs one after the other beside nodes of more and more run hosts."""
    results: Results = {}
    for hosts in sizes.lone_hosts:
        with fresh_schema(server.dsn) as schema, node(server.dsn, schema, run_hosts=hosts) as running:
            results[str(hosts)] = figures = _measure(server, schema, running.pids, sizes.lone_runs)
        figures["floor_p50_ms"] = floor = _floor_with_client(server, sizes.lone_runs)
        figures["ratio"] = figures["p50_ms"] / floor
        tell(
            f"{hosts} hosts: p50 {figures['p50_ms']:.1f} ms (floor {floor:.1f}), "
            f"{figures['statements']:.1f} statements and {figures['cpu_ms']:.1f} ms of processor time a run"
        )
    return results


def _floor_with_client(server: Server, runs: int) -> float:
    """Return the p50 of the floor whose client is another process, in milliseconds."""
    with fresh_schema(server.dsn) as schema:
        where = {"dsn": server.dsn, "schema": schema}
        with program_beside("floor_worker", **where):
            seconds = run_program("client_floor_latency", steps=0, runs=runs, **where)["seconds"]
    return quantile(seconds, 0.5) * 1e3


def _measure(server: Server, schema: str, pids: Callable[[], list[int]], runs: int) -> Results:
    given: dict[str, Any] = {"dsn": server.dsn, "schema": schema, "embedded": False, "steps": 0}
    # The node fills its caches.
    run_program("engine_latency", runs=max(runs // 5, 3), **given)
    of_node = pids()
    hosts, served = cpu_seconds(of_node), server_seconds(server.dsn)
    # Not with the statements logged, which would cost the server time.
    timed = run_program("engine_latency", runs=runs, **given)
    # The program begins with runs that it does not time.
    executed = runs + engine.WARM_UP_RUNS
    hosts_ms = (cpu_seconds(of_node) - hosts) * 1e3 / executed
    server_ms = (server_seconds(server.dsn) - served) * 1e3 / executed
    client_ms = timed["cpu"] * 1e3 / runs
    with counted_statements(server) as count:
        statements = [count()]
        for number in (0, runs):
            run_program("engine_latency", runs=number, **given)
            statements.append(count())
    before, without, with_runs = statements
    milliseconds = [seconds * 1e3 for seconds in timed["seconds"]]
    return {
        "p50_ms": quantile(milliseconds, 0.5),
        "p99_ms": quantile(milliseconds, 0.99),
        "statements": ((with_runs - without) - (without - before)) / runs,
        "hosts_ms": hosts_ms,
        "server_ms": server_ms,
        "client_ms": client_ms,
        "cpu_ms": hosts_ms + server_ms + client_ms,
    }
