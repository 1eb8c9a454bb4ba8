"""A project on disk with `continuum dev` running on it, as a person at a terminal has it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psutil

from tests.process.node.nodes import is_over

DEADLINE_S = 60.0
SHOP = """
from continuum import Signal, activity, workflow

go = Signal("go", str)

@activity(name="{name}.charge")
async def charge(amount: int) -> str:
    return f"charged {amount}"

@activity(name="{name}.ship")
async def ship(amount: int) -> str:
    return f"shipped {amount}"

@workflow(name="{name}.order")
async def order(amount: int) -> str:
    return await charge(amount)

@workflow(name="{name}.waiting")
async def waiting(amount: int) -> str:
    paid = await charge(amount)
    return paid + await go.wait()
"""

numbers = count()


@dataclass
class Developing:
    """A module that is saved, and the process that serves it."""

    dsn: str
    schema: str
    folder: Path
    name: str = field(default_factory=lambda: f"dev_shop_{os.getpid()}_{next(numbers)}")
    process: subprocess.Popen[str] | None = None
    lines: queue.Queue[str] = field(default_factory=queue.Queue)
    seen: dict[int, psutil.Process] = field(default_factory=dict)

    def save(self, text: str) -> None:
        """Save the module, in which `{name}` is its name."""
        (self.folder / f"{self.name}.py").write_text(text.replace("{name}", self.name), encoding="utf-8")

    def start(self, *options: str, module: str | None = None) -> None:
        """Start `continuum dev` on the module."""
        place = ("--dsn", self.dsn, "--schema", self.schema)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "continuum.cli", "dev", module or self.name, *place, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def until(self, text: str) -> list[str]:
        """Return the lines up to one with this text; fail if it does not come."""
        said: list[str] = []
        while not said or text not in said[-1]:
            try:
                said.append(self.lines.get(timeout=DEADLINE_S))
            except queue.Empty:
                raise AssertionError(f"no line with {text!r} in {said}") from None
            assert said[-1] != END or text == END, f"it has ended: {said}"
        self._note_processes()
        return said

    def ask(self, *words: str) -> str:
        """Run a command of `continuum` on the same database, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "continuum.cli", *words, "--dsn", self.dsn, "--schema", self.schema],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def until_history_has(self, run: str, event: str) -> None:
        """Return once a run has an event of this type."""
        deadline = time.monotonic() + DEADLINE_S
        while event not in (history := self.ask("runs", "history", run)):
            assert time.monotonic() < deadline, f"no {event} in {history}"

    def result_of_new_run(self) -> str:
        """Start a run and return what it returns."""
        run = self.ask("start", f"{self.name}.order", "1")
        return self.ask("result", run)

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        assert self.process is not None
        self._note_processes()
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DEADLINE_S)

    def left(self) -> list[psutil.Process]:
        """Return the processes that still run."""
        return [process for process in self.seen.values() if not is_over(process)]

    def end(self) -> None:
        """Kill what the test has left."""
        if self.process is not None and self.process.poll() is None:
            self._note_processes()
            self.process.kill()
            self.process.wait()
        for process in self.left():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def _note_processes(self) -> None:
        assert self.process is not None
        try:
            for process in psutil.Process(self.process.pid).children(recursive=True):
                self.seen.setdefault(process.pid, process)
        except psutil.NoSuchProcess:
            return

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as output:
            for line in output:
                self.lines.put(line.rstrip("\n"))
        self.lines.put(END)


END = "<the end of its output>"
