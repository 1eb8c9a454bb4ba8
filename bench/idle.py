"""The cost of an idle node: statements per second, and processor time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.database import Server, fresh_schema
from bench.processes import cpu_seconds, node
from bench.sizes import Sizes
from bench.statements import counted_statements

Results = dict[str, Any]
Tell = Callable[[str], None]


def of_an_idle_node(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure a node with the default processes, including the launcher, with and without LISTEN."""
    results, deaf = (_measure(server, sizes, tell, listen=listen) for listen in (True, False))
    return {
        **results,
        "queries_without_listen": deaf["queries_per_second"],
        "cpu_without_listen": deaf["cpu_percent"],
    }


def _measure(server: Server, sizes: Sizes, tell: Tell, *, listen: bool) -> Results:
    with fresh_schema(server.dsn) as schema, node(server.dsn, schema, listen=listen) as running:
        time.sleep(sizes.idle_after_seconds)
        with counted_statements(server) as count:
            pids = running.pids()
            before, cpu, begin = count(), cpu_seconds(pids), time.monotonic()
            time.sleep(sizes.idle_seconds)
            seconds = time.monotonic() - begin
            cpu, statements = cpu_seconds(pids) - cpu, count() - before
    results = {
        "seconds": seconds,
        "processes": len(pids),
        "queries_per_second": statements / seconds,
        "cpu_percent": cpu / seconds * 100,
        "counted_in": "the server's log" if server.log else "pg_stat_database",
    }
    tell(
        f"{'with' if listen else 'without'} LISTEN: {results['queries_per_second']:.2f} statements/s, "
        f"{results['cpu_percent']:.2f} % CPU"
    )
    return results
