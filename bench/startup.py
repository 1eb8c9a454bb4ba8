"""How long things take to start: a Python that imports `continuum`, a command, a node.

Python's compiled files are kept in a directory of their own, and are all there before the first measurement.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from bench.database import Server, fresh_schema
from bench.processes import READY_SECONDS, ROOT, environment
from bench.sizes import Sizes

Results = dict[str, Any]
Tell = Callable[[str], None]
HOSTS = 4
LOOK_SECONDS = 0.005
MAIN = "import sys; from continuum.cli import main; sys.exit(main())"
PROGRAMS = {"python": "pass", "asyncio": "import asyncio", "continuum": "import continuum"}


def of_imports_and_nodes(server: Server, sizes: Sizes, tell: Tell) -> Results:
    """Measure imports, `continuum start`, and `run-node` until it accepts work and until it is ready."""
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as compiled, fresh_schema(server.dsn) as schema:
        path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        variables = {**environment(path), "PYTHONPYCACHEPREFIX": compiled}
        place = ["--dsn", server.dsn, "--schema", schema]
        for counted in (False, *[True] * sizes.rounds):
            times = {name: _seconds(["-c", code], variables)[0] for name, code in PROGRAMS.items()}
            command = ["-c", MAIN, "start", "steps_in_a_row", "0", *place]
            times["start"], run = _seconds(command, variables)
            times["accepts"], times["ready"] = _node(server.dsn, schema, run.strip(), variables)
            if counted:
                for name, seconds in times.items():
                    taken.setdefault(name, []).append(seconds * 1000)
    results = {f"{name}_ms": statistics.median(each) for name, each in taken.items()}
    tell(", ".join(f"{name} {value:.0f}" for name, value in results.items()))
    return {"hosts": HOSTS, **results}


def _seconds(arguments: list[str], environment: Mapping[str, str]) -> tuple[float, str]:
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return time.monotonic() - begin, done.stdout


def _node(dsn: str, schema: str, run: str, environment: Mapping[str, str]) -> tuple[float, float]:
    """Return when a node has executed a run that waits for it, and when it says that it is ready."""
    ended = SQL("SELECT FROM {}.runs WHERE id = %s AND result IS NOT NULL").format(Identifier(schema))
    command = ["-c", MAIN, "run-node", "bench.flows", "--run-hosts", str(HOSTS), "--dsn", dsn]
    begin = time.monotonic()
    node = subprocess.Popen(
        [sys.executable, *command, "--schema", schema], env=environment, stdout=subprocess.PIPE, text=True
    )
    accepts: float | None = None
    ready: float | None = None
    try:
        assert node.stdout is not None
        os.set_blocking(node.stdout.fileno(), False)
        with psycopg.connect(dsn, autocommit=True) as connection:
            while accepts is None or ready is None:
                assert time.monotonic() - begin < READY_SECONDS, "the node did not start"
                time.sleep(LOOK_SECONDS)
                if accepts is None and connection.execute(ended, (run,)).fetchone() is not None:
                    accepts = time.monotonic() - begin
                if ready is None and node.stdout.readline():
                    ready = time.monotonic() - begin
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait()
    return accepts, ready
