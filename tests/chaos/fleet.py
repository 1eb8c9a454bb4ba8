"""The nodes of a play, each kept running as a service manager would: an ended launcher is started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.chaos.network import Place

MODULES = ("tests.chaos.programs",)
HOUR_AHEAD = "tests.chaos.hour_ahead"
RELEASES = {1: "tests.chaos.first_release", 2: "tests.chaos.second_release"}
LEASE_S = 5.0
PORT = 7700
# A node drains for ten seconds, and then reports the activities that it has interrupted.
STOP_BUDGET_S = 60.0
RESTART_AFTER_S = 0.5
READY_S = 30.0


@dataclass
class Service:
    """One node, whichever launcher runs it at the moment."""

    name: str
    place: Place
    command: list[str]
    environment: dict[str, str]
    log: Path
    modules: tuple[str, ...] = MODULES
    release: int = 1
    launcher: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    # The length of the log when the present launcher started.
    logged: int = 0
    # Every process that the node ever had, by pid.
    seen: dict[int, psutil.Process] = field(default_factory=dict)

    def start(self) -> None:
        """Start a launcher."""
        self.logged = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.launcher = subprocess.Popen(
                [*self.place.enter, *self.command, *self.modules, RELEASES[self.release]],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.started = time.monotonic()

    def is_ready(self) -> bool:
        """Return whether the present launcher has reported that its node accepts work."""
        return b"ready node=" in self.log.read_bytes()[self.logged :]

    def runs(self) -> bool:
        """Return whether a launcher runs."""
        return self.launcher is not None and self.launcher.poll() is None

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the node that live now, its launcher first."""
        if not self.runs():
            return []
        assert self.launcher is not None
        try:
            launcher = psutil.Process(self.launcher.pid)
            found = [launcher, *launcher.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        self.seen.update({process.pid: process for process in found})
        return found

    def send(self, number: signal.Signals) -> None:
        """Send a signal to every process of the node."""
        for process in self.processes():
            send(process, number)

    def stop(self) -> float:
        """Stop the node in order; return how many seconds that took."""
        assert self.launcher is not None
        begun = time.monotonic()
        self.processes()
        self.launcher.terminate()
        try:
            self.launcher.wait(STOP_BUDGET_S)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.launcher.wait()
        return time.monotonic() - begun

    def left(self) -> list[psutil.Process]:
        """Return the processes of the node that still run."""
        return [process for process in self.seen.values() if is_alive(process)]


@dataclass(frozen=True, slots=True)
class Stop:
    """How a stop ended: after how many seconds, with which exit code, and the processes left behind."""

    seconds: float
    code: int | None
    left: list[str]


@dataclass
class Fleet:
    """All nodes, and the thread that starts an ended one again."""

    services: list[Service]
    restarts: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None

    def open(self) -> None:
        """Start every node and keep it running."""
        for service in self.services:
            service.start()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        while not self._stopping.wait(RESTART_AFTER_S):
            for service in self.services:
                if not service.runs():
                    self.restarts += 1
                    service.start()

    def close(self) -> dict[str, Stop]:
        """Stop every node in order, and return how each ended."""
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
        ends = {}
        until = time.monotonic() + READY_S
        while not all(service.is_ready() for service in self.services) and time.monotonic() < until:
            threading.Event().wait(0.05)
        for service in self.services:
            if service.runs():
                seconds = service.stop()
                assert service.launcher is not None
                # The last processes end by the kernel, a moment after their launcher.
                until = time.monotonic() + 5.0
                while service.left() and time.monotonic() < until:
                    threading.Event().wait(0.05)
                left = [described(process) for process in service.left()]
                ends[service.name] = Stop(seconds, service.launcher.returncode, left)
        return ends


def port_of(place: Place, number: int) -> int:
    """Return the port of a node; on one address each has its own."""
    return PORT if place.enter else PORT + number


def node_command(place: Place, dsn: str, cookie: Path, number: int, other: str) -> list[str]:
    """Return the command line of a node that joins another one, without its modules."""
    return [
        sys.executable, "-m", "continuum.cli", "run-node", "--name", place.name, "--dsn", dsn,
        "--run-hosts", "2" if number == 0 else "1", "--activity-hosts", "1", "--lease-ttl", str(LEASE_S),
        "--queue", "counting=4", "--bind", f"{place.address}:{port_of(place, number)}",
        "--cookie-file", str(cookie), "--join", other,
    ]  # fmt: skip


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def described(process: psutil.Process) -> str:
    """Describe a process for the report."""
    with process.oneshot():
        command = " ".join(process.cmdline()[-3:])
        return f"{process.pid}, child of {process.ppid()}, {process.status()}: {command}"
