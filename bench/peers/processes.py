"""The processes of the measured systems: programs of an adapter, and the hosts beside them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

from bench.peers import restate_server
from bench.peers.systems import System
from bench.processes import READY_SECONDS, ROOT, STOP_SECONDS, ProgramFailed, environment, node

ROOMS = ("continuum", "actors", "supervision", "migrations")
# Longer than all figures of one system together may take.
MEASURE_SECONDS = 1_200.0
# What a node of ours loads; it refuses two workflows, or two activities, of one name.
NODE_MODULES = ("bench.flows", "bench.peers.flows")


class Processes:
    """The processes of a system beside the caller; `workers` are those that execute runs, None means all."""

    def __init__(self, pids: Callable[[], list[int]], workers: Sequence[int] | None = None) -> None:
        self.pids = pids
        self._workers = workers

    def workers(self) -> list[int]:
        """Return those that execute runs."""
        return self.pids() if self._workers is None else list(self._workers)

    def kill(self) -> None:
        """Kill all of them at once, and leave no zombie, which could pass for a process that lives."""
        doomed = self.pids()
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                # It died with its parent.
                pass
        for pid in doomed:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                # Its parent is another process.
                pass


class Program:
    """A running program of an adapter, and what it prints."""

    def __init__(self, process: subprocess.Popen[str], title: str) -> None:
        self.process = process
        self._title = title
        self._lines: Queue[str] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def line(self, seconds: float) -> str:
        """Return the next line that it prints; `ProgramFailed` if there is none in time."""
        try:
            line = self._lines.get(timeout=max(seconds, 0.0))
        except Empty:
            raise ProgramFailed(f"{self._title} took too long") from None
        if not line:
            raise ProgramFailed(f"{self._title} ended without a result; see its log")
        return line

    def until_ready(self) -> None:
        """Return once it has said that it is ready; what its system prints before is passed over."""
        while self.line(READY_SECONDS) != "ready\n":
            pass

    def results(self, figures: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return what it measures, with a failure for each figure that it does not come to."""
        found: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + MEASURE_SECONDS
        while len(found) < len(figures):
            try:
                line = self.line(deadline - time.monotonic())
            except ProgramFailed as failed:
                return {**{name: {"failed": str(failed)} for name in figures}, **found}
            if line.startswith("{"):
                result = json.loads(line)
                found[result.pop("figure")] = result
        return found

    def end(self, *, at_once: bool = False) -> None:
        """Let it end, and kill it if it does not, or `at_once`."""
        if at_once:
            self.process.kill()
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            # It has ended by itself.
            pass
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()


@contextmanager
def program(system: System, mode: str, given: Mapping[str, Any], log: Path) -> Iterator[Program]:
    """Start a program of a system's adapter in the system's environment; what it logs goes to a file."""
    path = [ROOT, *((ROOT / room for room in ROOMS) if system.environment is None else ())]
    command = [str(system.python), "-m", f"bench.peers.programs.{system.program}", mode, json.dumps(given)]
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(os.pathsep.join(map(str, path))),
        )
        running = Program(process, system.title)
        try:
            yield running
        finally:
            # Hosts of others have nothing left to do, and some wait for runs that will never end.
            running.end(at_once=mode == "host" and not system.ours)


@contextmanager
def hosts(system: System, given: dict[str, Any], log: Path) -> Iterator[Processes]:
    """Run the hosts of a system, ready for work; none if they are in the caller's process."""
    if system.place == "restate":
        with _restate(system, given, log) as processes:
            yield processes
    elif not system.hosts:
        yield Processes(list)
    elif system.ours:
        settings = {"name": system.settings["name"], "run_hosts": system.hosts}
        with node(given["dsn"], given["schema"], modules=NODE_MODULES, **settings) as running:
            yield Processes(running.pids)
    else:
        with ExitStack() as stack:
            started = [stack.enter_context(program(system, "host", given, log)) for _ in range(system.hosts)]
            for each in started:
                each.until_ready()
            yield Processes(lambda: [each.process.pid for each in started])


@contextmanager
def _restate(system: System, given: dict[str, Any], log: Path) -> Iterator[Processes]:
    """Run the server and a process with the handlers."""
    server = restate_server.binary(system.installed)
    assert server is not None, "the server is looked for before anything is measured"
    with (
        restate_server.running(server, given, log) as pid,
        program(system, "host", given, log) as handlers,
    ):
        handlers.until_ready()
        restate_server.until_healthy(given)
        if not given.get("registered"):
            restate_server.register(given)
            given["registered"] = True
        given["postmaster"] = pid
        yield Processes(lambda: [pid, handlers.process.pid], [handlers.process.pid])
