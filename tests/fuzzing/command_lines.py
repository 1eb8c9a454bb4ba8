"""Command lines, against a journal in memory; commands that import or start something are only parsed."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any
from unittest.mock import patch

import click

import continuum.cli
from continuum.cli.main import continuum as commands
from continuum.cli.main import main
from continuum.client import Client
from continuum.engine.ids import RunId
from continuum.journal.announced_run import NewRun
from continuum.journal.memory.journal import MemoryJournal
from tests.fuzzing.mutation import Mutator
from tests.fuzzing.target import Broken, Target

# Commands have the names of their modules.
_MODULES = [
    import_module(f"continuum.cli.{found.name}")
    for found in iter_modules(continuum.cli.__path__)
    if found.name != "__main__"
]

# It waits for what comes next.
_EVENTS = import_module("continuum.cli.runs").events
_RUN = "00000000-0000-4000-8000-000000000001"
# They import modules, start processes, change schemas or wait.
_ONLY_PARSED = frozenset(("run-node", "demo", "migrate", "check", "result", "versions"))
_LINES = (
    *("start orders", "start orders 1 [2] --key k", 'start orders {"$date":"2026-01-31"} --attribute a=1'),
    *('start orders {"$timedelta":1.5} {"$bytes":"aGk="} {"$Decimal":"1.10"}', f"start orders --id {_RUN}"),
    *(f"signal {_RUN} review true --delivery-id d", f"signal {_RUN} review []", f"cancel {_RUN}"),
    *(
        f"cancel {_RUN} --force --yes --namespace default",
        f"cancel {_RUN} --force --by ann --reason why",
        "audit list --actor ann --action signal --since 24h --limit 3 --json",
        f"audit list --subject {_RUN} --cursor 1769850000000000.{_RUN}",
        f"attributes {_RUN} a=1 b=null",
        f"result {_RUN} --timeout 1",
    ),
    *("runs list", "runs list --state running --state blocked --workflow w --json", "runs list --limit 3"),
    *(f"runs list --parent {_RUN} --namespace n", "runs list --attribute region=eu --attribute n=1.5"),
    *("runs list --cursor WzEsImEiLDEsImEiXQ", f"runs show {_RUN}", f"runs history {_RUN} --json"),
    *(f"runs read {_RUN} state", f"runs unblock {_RUN}", "nodes list", "nodes list --json", "versions list"),
    *("runs events --since 7 --limit 1", "runs events --workflow w --namespace n --json"),
    *(
        "run-node flows --bind 127.0.0.1:4000 --peer [::1]:4000 --limit mail=3",
        "check flows",
        "migrate --check",
    ),
    *("--version", "--help", "runs", "nope", "demo --orders 3", "start orders --dsn x --schema s -- -1"),
)


class CommandLines(Target):
    """Arguments with line feeds between them."""

    name = "command_lines"

    def __init__(self) -> None:
        self._door = _Door()
        for line in self.seeds():
            self.read(line)

    def seeds(self) -> Sequence[bytes]:
        return [line.replace(" ", "\n").encode() for line in _LINES]

    def mutate(self, mutator: Mutator, data: bytes, others: Sequence[bytes]) -> bytes:
        draw = mutator.random
        words, other = _words(data), _words(draw.choice(others))
        at = draw.randrange(len(words))
        match draw.randrange(6):
            case 0:
                del words[at]
            case 1:
                words[at:at] = other[draw.randrange(len(other)) :]
            case 2:
                words.insert(
                    at, draw.choice(("--json", "--limit", "--cursor", "--", "-h", "--attribute", "--state"))
                )
            case _:
                name, equals, value = words[at].rpartition("=")
                words[at] = name + equals + mutator.text_of(value, other)
        return "\n".join(words).encode("utf-8", "surrogatepass")

    def read(self, data: bytes) -> None:
        words = _words(data)
        stdout, stderr = (
            io.TextIOWrapper(io.BytesIO(), "utf-8"),
            io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace"),
        )
        with (
            self._door.open(),
            # Nobody is there to confirm anything.
            patch("sys.stdin", io.StringIO()),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
        ):
            code = main(words)
        stdout.flush()
        stderr.flush()
        said = stderr.buffer.getvalue().decode()
        if code not in (0, 1, 2):
            raise Broken(f"exit code {code} of {words!r:.300}")
        if "CONTINUUM_TRACEBACK" in said:
            raise Broken(f"an error without a message of its own for {words!r:.300}: {said[-500:]}")


def _words(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape")
    # No operating system passes on a NUL.
    return [word.replace("\0", "?") for word in text.split("\n")] or [""]


class _Door:
    """Stands where the commands open their database: they get a client of a journal in memory."""

    async def _begun(self) -> MemoryJournal:
        journal = MemoryJournal(clock=lambda: 1_700_000_000_000_000)
        await journal.start([NewRun(RunId(_RUN), "orders", b"\x01\x92\x90\x80", attributes={"region": "eu"})])
        return journal

    @contextlib.asynccontextmanager
    async def _connected(self, _target: Any, *, listen: bool = False) -> AsyncIterator[Client]:
        async with Client(await self._begun()) as client:
            yield client

    @contextlib.asynccontextmanager
    async def _opened_journal(self, _target: Any, *, read_only: bool = False) -> AsyncIterator[MemoryJournal]:
        yield await self._begun()

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Replace the two ways to a database, and what the commands that are only parsed do."""
        with contextlib.ExitStack() as replaced:
            for module in _MODULES:
                for name, stand_in in (
                    ("connected", self._connected),
                    ("opened_journal", self._opened_journal),
                ):
                    if hasattr(module, name):
                        replaced.enter_context(patch.object(module, name, stand_in))
            root = click.Context(commands)
            parsed = [commands.get_command(root, name) for name in _ONLY_PARSED]
            for command in _leaves([_EVENTS, *filter(None, parsed)]):
                replaced.enter_context(patch.object(command, "callback", lambda **_: None))
            yield


def _leaves(among: Iterable[click.Command]) -> Iterator[click.Command]:
    for command in among:
        if isinstance(command, click.Group):
            yield from _leaves(command.commands.values())
        else:
            yield command
