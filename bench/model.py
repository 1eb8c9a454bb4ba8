"""The cost of the programming model: scanning and hashing a workflow, a run's loop, replay, resuming."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from bench.database import Server, fresh_schema
from bench.processes import run_program
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]


def of_a_workflow(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure each in separate processes, and take medians."""
    results: Results = {"events": sizes.long_history}
    defined = [run_program("define_workflows") for _ in range(sizes.rounds)]
    for name in ("scan_ms", "scan_first_ms", "hash_ms"):
        results[name] = median(row[name] for row in defined)
    tell(f"scan {results['scan_ms']:.2f} ms a workflow, hash {results['hash_ms']:.2f} ms")
    replayed = [run_program("replay_in_memory", events=sizes.long_history) for _ in range(sizes.rounds)]
    for name in ("events_per_second", "loop_us"):
        results[name] = median(row[name] for row in replayed)
    tell(f"replay {results['events_per_second']:,.0f} events/s, a run's loop {results['loop_us']:.1f} us")
    for kind in ("activities", "readings"):
        results[f"resume_{kind}"] = _resuming(server, sizes, kind, tell)
    return results


def _resuming(server: Server, sizes: Sizes, kind: str, tell: Tell) -> Results:
    rows: list[Results] = []
    for _ in range(sizes.rounds):
        with fresh_schema(server.dsn) as schema:
            rows.append(
                run_program(
                    "resume_long_run", dsn=server.dsn, schema=schema, kind=kind, events=sizes.long_history
                )
            )
    results = {name: median(row[name] for row in rows) for name in ("events_ms", "snapshot_ms")}
    results["ratio"] = median(row["events_ms"] / row["snapshot_ms"] for row in rows)
    tell(
        f"resume {sizes.long_history:,} events of {kind}: {results['events_ms']:.0f} ms, "
        f"from a snapshot {results['snapshot_ms']:.0f} ms"
    )
    return results
