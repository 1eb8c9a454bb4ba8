"""What it takes to wake runs, on nodes of one and of two run hosts: signals to parked runs, and families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.database import Server, fresh_schema
from bench.processes import node, run_program
from bench.series import quantile
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]


def signals_by_number_of_hosts(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure the time from a signal to the result of a run that is kept in memory, or was evicted."""
    results: Results = {}
    for hosts in sizes.woken_hosts:
        for parked, settings in (("live", {}), ("evicted", {"live_suspended_runs": 1})):
            given = {"runs": sizes.signals}
            name = f"{hosts} hosts, {parked}"
            results[name] = _measure(server, "engine_signals", given, run_hosts=hosts, **settings)
            tell(f"{name}: {_sentence(results[name])}")
    return results


def families_by_number_of_hosts(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure the time from the start of a parent to its result, once all of its children have ended."""
    results: Results = {}
    given = {"parents": sizes.parents, "children": sizes.children}
    for hosts in sizes.woken_hosts:
        results[f"{hosts} hosts"] = figures = _measure(server, "engine_families", given, run_hosts=hosts)
        tell(f"{sizes.children} children, {hosts} hosts: {_sentence(figures)}")
    return results


def _measure(server: Server, program: str, given: dict[str, Any], **settings: Any) -> Results:
    with fresh_schema(server.dsn) as schema, node(server.dsn, schema, **settings):
        timed = run_program(program, dsn=server.dsn, schema=schema, embedded=False, **given)
    milliseconds = [seconds * 1e3 for seconds in timed["seconds"]]
    return {"p50_ms": quantile(milliseconds, 0.5), "p99_ms": quantile(milliseconds, 0.99)}


def _sentence(figures: Results) -> str:
    return f"p50 {figures['p50_ms']:.1f} p99 {figures['p99_ms']:.1f} ms"
