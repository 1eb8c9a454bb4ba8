"""Sessions of `continuum debug` in a process of their own, on a module on disk and a history in a file."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from continuum.testing import dump_history, env
from tests.unit.docs.blocks import ROOMS, ROOT

# Far longer than a session takes, so that no test fails on a slow machine.
DEADLINE_S = 60

SHOP = """
import asyncio
import sys
from pathlib import Path

from continuum import Signal, activity, workflow

go = Signal("go", str)


@activity(name="{name}.charge")
async def charge(amount: int) -> int:
    with Path(__file__).with_suffix(".calls").open("a") as calls:
        calls.write("charge")
    return amount * 2


async def pay(amount: int) -> int:
    paid = await charge(amount)
    fee = 1
    return paid + fee


@workflow(name="{name}.order")
async def order(amount: int) -> str:
    paid = await pay(amount)
    total = paid + 1
    word = await go.wait()
    return f"{word} {total}"


@workflow(name="{name}.pair")
async def pair(amount: int) -> int:
    both = await asyncio.gather(charge(amount), charge(amount + 1))
    return sum(both)


@workflow(name="{name}.failing")
async def failing(amount: int) -> str:
    paid = await charge(amount)
    parts = {"paid": paid}
    return parts["owed"]


@activity(name="{name}.refuse")
async def refuse() -> None:
    raise ValueError("sold out")


@workflow(name="{name}.refused")
async def refused(amount: int) -> str:
    try:
        await refuse()
    except Exception:
        return "refused"
    return "served"
"""

_numbers = count()


@dataclass(frozen=True, slots=True)
class Session:
    """What a session printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def stops(self) -> list[str]:
        """The lines of code that the debugger showed at its stops, in order."""
        return [line.removeprefix("-> ") for line in self.out.splitlines() if line.startswith("-> ")]


@dataclass
class Desk:
    """A module on disk and the history of a run of it, in a folder."""

    folder: Path
    name: str = field(default_factory=lambda: f"debugged_shop_{next(_numbers)}")

    @property
    def calls(self) -> Path:
        """The file to which the activity writes that it was executed."""
        return self.folder / f"{self.name}.calls"

    def write(self, text: str = SHOP) -> None:
        """Write the module."""
        (self.folder / f"{self.name}.py").write_text(text.replace("{name}", self.name), encoding="utf-8")

    def record(self, workflow: str = "order", *, signal: str | None = None) -> None:
        """Run a workflow of the module as it is on disk, in memory, and keep the history in a file."""
        importlib.invalidate_caches()
        module = importlib.import_module(self.name)

        async def running() -> None:
            async with env() as environment:
                run = await environment.start(getattr(module, workflow), 1)
                if signal is not None:
                    await run.signal(module.go, signal)
                await environment.settle()
                dump_history(await environment.history(run.id), self.folder / "run.json")

        asyncio.run(running())
        self.calls.unlink(missing_ok=True)

    def arguments(self, command: str, *options: str) -> list[str]:
        """Return a command line on the history."""
        words = [sys.executable, "-m", "continuum.cli", command, "--file", "run.json", "--module", self.name]
        return [*words, *options]

    def environment(self) -> dict[str, str]:
        """Return the environment of a session; it has no database."""
        rooms = os.pathsep.join(str(ROOT / room) for room in ROOMS)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CONTINUUM_")}
        return {**kept, "PYTHONPATH": rooms, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.folder)}

    def run(
        self, command: str, *options: str, typed: str = "", also: Mapping[str, str] | None = None
    ) -> Session:
        """Run a command on the history; `typed` has the debugger's commands, with `;` between them."""
        done = subprocess.run(
            self.arguments(command, *options),
            input="".join(f"{word.strip()}\n" for word in typed.split(";")) if typed else "",
            cwd=self.folder,
            env=self.environment() | dict(also or {}),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Session(done.returncode, done.stdout, done.stderr)


@contextmanager
def desk_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Yield a desk whose module can be imported here."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(folder)
    desk = Desk(folder)
    desk.write()
    yield desk
    sys.modules.pop(desk.name, None)
