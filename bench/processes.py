"""Starts measured processes and nodes, and leaves none behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 90.0
# The slowest program takes this long on a machine that is busy with other things.
WORK_SECONDS = 600.0
STOP_SECONDS = 40.0
# Processes inherit it, so those of a node can be found even if their parent has died.
MARKER = "CONTINUUM_BENCH_NODE"


class ProgramFailed(Exception):
    """A measured process ended without a result."""


def run_together(name: str, givens: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Run a program once for each of `givens`, all starting together; return their results."""
    with ExitStack() as stack:
        running = [stack.enter_context(_program(name, given)) for given in givens]
        for process in running:
            read_line(process, name, READY_SECONDS)
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(read_line(process, name, WORK_SECONDS)) for process in running]


def run_program(name: str, **given: Any) -> dict[str, Any]:
    """Run one program and return its result."""
    return run_together(name, [given])[0]


@contextmanager
def program_beside(name: str, **given: Any) -> Iterator[None]:
    """Have a program prepared, and so at work, for as long as something else is measured."""
    with _program(name, given) as process:
        read_line(process, name, READY_SECONDS)
        yield


@contextmanager
def _program(name: str, given: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    with _started([sys.executable, "-m", "bench.program", name, json.dumps(given)], {}) as process:
        yield process


def environment(path: str) -> dict[str, str]:
    """Return the variables of a measured process: it keeps compiled files, as an installation has them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": path}


@contextmanager
def _started(command: list[str], variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**environment(path), **variables},
    )
    try:
        yield process
        process.communicate(timeout=STOP_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def read_line(process: subprocess.Popen[str], name: str, seconds: float) -> str:
    """Return the next line that a process prints; `ProgramFailed` if there is none in time."""
    stream: IO[str] | None = process.stdout
    assert stream is not None
    ready, _, _ = select.select([stream], [], [], seconds)
    line = stream.readline() if ready else ""
    if not line:
        why = "ended without a result; what it printed above says why" if ready else "took too long"
        raise ProgramFailed(f"{name} {why}")
    return line


class Node:
    """A node in separate processes."""

    def __init__(self, process: subprocess.Popen[str], marker: str) -> None:
        self._process = process
        self._marker = f"{MARKER}={marker}".encode()

    def pids(self) -> list[int]:
        """Return every process of the node, the launcher first."""
        found = [pid for pid in _all_pids() if self._marker in _environment(pid).split(b"\0")]
        return sorted(found)

    def stop(self) -> None:
        """Stop the node, and kill every process of it that does not end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                # It has ended since it was found.
                pass


@contextmanager
def node(
    dsn: str,
    schema: str,
    *,
    modules: Sequence[str] = ("bench.flows",),
    name: str = "",
    variables: Mapping[str, str] | None = None,
    **settings: Any,
) -> Iterator[Node]:
    """Run a node for the workflows of these modules, with these `settings` instead of the defaults.

    A node with a `name` knows at its start what an earlier life of it has left. `variables` are added to the
    environment of its processes.
    """
    marker = uuid4().hex
    config = {"name": name, "modules": list(modules), "dsn": dsn, "schema": schema, "settings": settings}
    command = [sys.executable, "-m", "bench.node", json.dumps(config)]
    with _started(command, {MARKER: marker, **(variables or {})}) as process:
        running = Node(process, marker)
        try:
            read_line(process, "the node", READY_SECONDS)
            yield running
        finally:
            running.stop()


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the processor time that these processes have used so far."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")
