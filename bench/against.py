"""This checkout beside another one: `python -m bench.against DIRECTORY [ROUNDS [STEPS]]`.

Both run the same workload in turn: runs of ten steps, or of STEPS, host and client in one process, on one
durable server. It prints what a step costs, its share of the run included: processor time of our process,
processor time of the server, bytes of WAL, of tables and indexes. The ratio is the median of the rounds'
ratios. The other checkout's `bench.program` and migrations serve its side.
Linux only: processor times of the server come from `/proc`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from bench.database import server
from bench.processes import ROOT
from bench.program import WARM_UP_RUNS

ROOMS = ("continuum", "actors", "supervision", "migrations")
STEPS = 10
# So many steps are taken for each measurement.
TAKEN_STEPS = 30_000
ROUNDS = 7
MIGRATE = "import asyncio, sys, continuum_migrations as m; asyncio.run(m.migrate(sys.argv[1], sys.argv[2]))"
FIGURES = ("process", "server", "wal", "disk")
TITLES = {
    "process": "our process, µs",
    "server": "server, µs",
    "wal": "WAL, bytes",
    "disk": "tables, bytes",
}
SIZE = """SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A tree of the project's source."""

    root: Path

    def run(self, *arguments: str, go: bool = False) -> str:
        """Run this tree's Python with arguments and return the last line that it prints."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (self.root, *(self.root / room for room in ROOMS)))),
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment,
            input="go\n" if go else "",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{self.root}: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip().rpartition("\n")[2]


class ServerMeter:
    """What a server has spent since it started."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        row = connection.execute(
            "SELECT pg_postmaster_start_time(), current_setting('data_directory')"
        ).fetchone()
        assert row is not None
        self._postmaster = int((Path(row[1]) / "postmaster.pid").read_text(encoding="ascii").split()[0])

    def read(self) -> dict[str, float]:
        """Return processor time in microseconds, of ended sessions too, and bytes of WAL."""
        tick = 1e6 / os.sysconf("SC_CLK_TCK")
        children = Path(f"/proc/{self._postmaster}/task/{self._postmaster}/children").read_text(
            encoding="ascii"
        )
        # The postmaster counts its ended children; those that live count for themselves.
        ticks = sum(_times(self._postmaster)) + sum(sum(_times(int(pid))[:2]) for pid in children.split())
        row = self._connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None
        return {"server": ticks * tick, "wal": float(row[0])}


def _times(pid: int) -> list[int]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except FileNotFoundError:
        return [0, 0, 0, 0]
    return [int(field) for field in fields[11:15]]


@contextmanager
def _schema(tree: Checkout, dsn: str, connection: psycopg.Connection) -> Iterator[str]:
    name = f"bench_{uuid4().hex[:12]}"
    tree.run("-c", MIGRATE, dsn, name)
    connection.execute("CHECKPOINT")
    try:
        yield name
    finally:
        connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(name)))


def _size(connection: psycopg.Connection, schema: str) -> float:
    row = connection.execute(SIZE, (schema,)).fetchone()
    assert row is not None
    return float(row[0])


def measure(tree: Checkout, dsn: str, connection: psycopg.Connection, steps: int) -> dict[str, float]:
    """Return what a step costs with this tree's code."""
    meter = ServerMeter(connection)
    runs = TAKEN_STEPS // steps
    with _schema(tree, dsn, connection) as schema:
        given = {"dsn": dsn, "schema": schema, "embedded": True, "runs": runs, "steps": steps}
        empty, before = _size(connection, schema), meter.read()
        result = json.loads(tree.run("-m", "bench.program", "engine_throughput", json.dumps(given), go=True))
        after, full = meter.read(), _size(connection, schema)
    spent = {name: after[name] - before[name] for name in before} | {"process": result["cpu"] * 1e6}
    spent["disk"] = full - empty
    # The program's warm-up is part of everything but the processor time of its own.
    taken = {name: runs + (WARM_UP_RUNS if name != "process" else 0) for name in FIGURES}
    return {name: spent[name] / (taken[name] * steps) for name in FIGURES}


def main() -> None:
    """Measure both checkouts in turn and print medians and ratios."""
    here, other = Checkout(ROOT), Checkout(Path(sys.argv[1]).resolve())
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else STEPS
    found: dict[Checkout, list[dict[str, float]]] = {here: [], other: []}
    with server(None) as own, psycopg.connect(own.dsn, autocommit=True) as connection:
        for turn in range(rounds + 1):
            for tree in (here, other) if turn % 2 else (other, here):
                figures = measure(tree, own.dsn, connection, steps)
                # The first round warms the machine up.
                if turn:
                    found[tree].append(figures)
    print(f"a step, medians of {rounds} rounds of {TAKEN_STEPS // steps} runs of {steps} steps")
    print(f"{'':18}{'other':>12}{'here':>12}{'here ÷ other':>16}")
    for name in FIGURES:
        ours, theirs = ([each[name] for each in found[tree]] for tree in (here, other))
        ratio = median(mine / yours for mine, yours in zip(ours, theirs, strict=True))
        print(f"{TITLES[name]:18}{median(theirs):12.1f}{median(ours):12.1f}{ratio:16.3f}")


if __name__ == "__main__":
    main()
