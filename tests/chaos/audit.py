"""The audit when the dust has settled: promises, ledger, tables, connections and processes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos.fleet import STOP_BUDGET_S, Stop
from tests.chaos.ledger import noted
from tests.chaos.load import Promise
from tests.chaos.programs import FALLS

# A statement, and what it means if it finds anything.
TABLES = (
    ("select id from continuum.runs where state < 4 limit 5", "these runs are open"),
    ("select run_id, seq from continuum.tasks limit 5", "these activity tasks were left behind"),
    # An ended run keeps what it has not read until it is removed.
    (
        "select run_id from continuum.inbox where run_id not in (select id from continuum.runs) limit 5",
        "these inbox entries have no run",
    ),
    ("select id from continuum.runs where owner is not null limit 5", "these ended runs have an owner"),
    ("select node from continuum.nodes limit 5", "these stopped nodes are still listed"),
    (
        "select id from continuum.workers where expires_at > now() limit 5",
        "stopped workers hold a lease",
    ),
)


def wrong_outcomes(promises: Sequence[Promise]) -> Iterator[str]:
    """Compare every acknowledged run with what is right for it."""
    for promise in promises:
        right = promise.program.right(promise.number)
        if promise.outcome not in right:
            yield f"{_run(promise)} is not {' or '.join(sorted(right))}"


def wrong_effects(promises: Sequence[Promise], ledger: Path) -> Iterator[str]:
    """Compare the ledger with the outcomes: at least once what was promised, at most once where that was."""
    effects = noted(ledger)
    for promise in promises:
        number, name = promise.number, promise.program.flow.name
        for effect in _promised(name, promise):
            if not effects[effect, number]:
                yield f"{_run(promise)} without the effect {effect}"
        if effects["once", number] > 1:
            yield f"{_run(promise)} did twice what it may do at most once"
        if name == "chaos.falling" and effects["fall", number] != FALLS:
            yield f"{_run(promise)} fell {effects['fall', number]} times, not {FALLS}"


def _run(promise: Promise) -> str:
    name = promise.program.flow.name
    return f"run {promise.run.id} ({name} {promise.number}) ended {promise.outcome}"


def _promised(name: str, promise: Promise) -> tuple[str, ...]:
    match name:
        case "chaos.saga":
            failed = promise.number % 3 == 0
            return ("charge", "reserve", *(("decline", "refund", "release") if failed else ()))
        case "chaos.deployed":
            return ("charge", "reserve")
        case "chaos.signals" | "chaos.chain":
            return ("charge",)
        case "chaos.queue":
            return ("count",)
        case "chaos.once_only":
            return ("once",) if promise.outcome == "'stamped'" else ()
        case "chaos.deafness":
            return ("deaf",)
        case _:
            return ()


def uneven_undoings(promises: Sequence[Promise], ledger: Path) -> Iterator[str]:
    """Look for a charge that was undone though its run did not fail, or was not undone though it did."""
    effects = noted(ledger)
    for promise in promises:
        if promise.program.flow.name == "chaos.endless":
            charged, refunded = effects["charge", promise.number], effects["refund", promise.number]
            if charged == 0 and refunded:
                yield f"{_run(promise)} refunded what it never charged"
            continue
        failed = promise.outcome is None or promise.outcome.startswith("failed")
        if not failed and effects["refund", promise.number]:
            yield f"{_run(promise)} and refunded"


def wrong_tables(dsn: str) -> Iterator[str]:
    """Look for what ended runs and stopped nodes must not leave in the tables."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement, meaning in TABLES:
            found = connection.execute(statement.encode()).fetchall()
            if found:
                yield f"{meaning}: {', '.join(str(row[0]) for row in found)}"


def broken_invariants(dsn: str) -> Iterator[str]:
    """Let the checker of the command line look at everything that is stored."""
    command = [sys.executable, "-m", "continuum.cli", "verify", "--dsn", dsn]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    if checked.returncode:
        yield from (checked.stdout + checked.stderr).splitlines()


def open_connections(dsn: str) -> Iterator[str]:
    """Look for sessions of nodes that have stopped."""
    statement = b"select application_name, state, query from pg_stat_activity where usename = 'chaos'"
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, state, query in connection.execute(statement).fetchall():
            yield f"a connection was left open: {name!r}, {state}, {str(query)[:80]!r}"


def wrong_stops(stops: dict[str, Stop]) -> Iterator[str]:
    """Look for nodes that did not stop in order."""
    for name, stop in stops.items():
        if stop.code != 0:
            yield f"node {name} ended with {stop.code}, not 0, after {stop.seconds:.0f} s"
        if stop.seconds >= STOP_BUDGET_S:
            yield f"node {name} did not stop within {STOP_BUDGET_S:.0f} s"
        for command in stop.left:
            yield f"node {name} left a process behind: {command}"


def repeated_effects(ledger: Path) -> Counter[str]:
    """Count by name the effects that happened more than once: at least once is the promise."""
    found: Counter[str] = Counter()
    for (effect, _), times in noted(ledger).items():
        if times > 1 and effect != "fall":
            found[effect] += 1
    return found


def rows(dsn: str) -> dict[str, Any]:
    """Count what the play has left in the tables, for the report."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        runs, events = connection.execute(
            "select count(*), (select sum(greatest(1, -type)) from continuum.events) from continuum.runs"
        ).fetchone() or (0, 0)
    return {"runs": runs, "events": events}
