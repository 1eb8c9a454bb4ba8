"""Start, share and leave the embedded server.

Every process that uses a server holds a shared lock in its directory; the first one
starts the keeper, which stops the server once nobody holds that lock any more, however
the last holder ended. A forked child of a holder is a holder too; a spawned one makes
its own `EmbeddedPostgres` and joins in milliseconds.

Everything here blocks for at most the time a start takes; `async with` moves it to a thread.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from continuum.errors import EmbeddedPostgresError
from continuum.local_postgres import limits
from continuum.local_postgres.account import server_account
from continuum.local_postgres.binaries import Binaries, find_binaries
from continuum.local_postgres.commands import (
    DATABASE,
    SUPERUSER,
    initdb_command,
    server_command,
    server_environment,
)
from continuum.local_postgres.directory import (
    PORT,
    Layout,
    claim,
    claim_sockets,
    default_directory,
    layout_of,
    new_temporary_directory,
)
from continuum.local_postgres.locks import GATE, HOLDERS, KEEPER, FileLock


class EmbeddedPostgres:
    """A server of this user's own, shared by every process that names the same directory.

    With `durable=False` it runs without fsync, for tests: such a cluster is marked and
    never opened by anyone who expects durability, nor the other way round.
    """

    def __init__(self, data_directory: Path | None = None, durable: bool = True) -> None:
        self._account = server_account(os.environ, uid=os.geteuid())
        chosen = data_directory or default_directory(os.environ, uid=os.geteuid())
        self._layout = layout_of(chosen)
        self._durable = durable
        self._temporary = False
        self._hold: FileLock | None = None

    @classmethod
    def temporary(cls) -> Self:
        """A server without durability in a new directory that vanishes with its last user."""
        account = server_account(os.environ, uid=os.geteuid())
        server = cls(new_temporary_directory(account), durable=False)
        server._temporary = True
        return server

    @property
    def dsn(self) -> str:
        """Where to connect: a Unix socket in a directory that only its owner may enter."""
        host = quote(str(self._layout.sockets), safe="")
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={host}&port={PORT}"

    @property
    def data_directory(self) -> Path:
        """The directory that holds the cluster, its log and its locks."""
        return self._layout.root

    def start(self) -> None:
        """Return once the server takes connections: start it, or join those who use it.

        Called again, it brings back a server that went down with its keeper.
        """
        try:
            claim(self._layout, self._account)
            with _at_the_gate(self._layout):
                before, self._hold = self._hold, self._join_or_start()
                if before is not None:
                    before.close()
        except OSError as error:
            raise EmbeddedPostgresError(
                f"cannot use {self._layout.root}: {error}; choose another directory with CONTINUUM_DATA_DIR"
            ) from error

    def stop(self) -> None:
        """Leave the server; when nobody else uses it, return once it has ended."""
        hold, self._hold = self._hold, None
        if hold is None:
            return
        with _at_the_gate(self._layout):
            keeping = FileLock(self._layout.root / KEEPER)
            try:
                hold.close()
                if not _others_hold(self._layout):
                    keeping.lock()
                    _await_orphan(self._layout)
            finally:
                keeping.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _join_or_start(self) -> FileLock:
        hold = FileLock(self._layout.root / HOLDERS)
        keeping = FileLock(self._layout.root / KEEPER)
        deadline = time.monotonic() + limits.START_TIMEOUT_S + limits.STOP_TIMEOUT_S
        try:
            while time.monotonic() < deadline:
                # Without a share, the keeper has the lock to itself: it is ending the server.
                if hold.try_share() and self._is_running_or_started(keeping):
                    return hold
                time.sleep(limits.LOOK_AGAIN_S)
        except BaseException:
            hold.close()
            raise
        finally:
            keeping.close()
        hold.close()
        raise EmbeddedPostgresError(
            f"the server in {self._layout.root} neither started nor stopped; see {self._layout.log}"
        )

    def _is_running_or_started(self, keeping: FileLock) -> bool:
        self._check_durability()
        if not keeping.try_lock():
            return _is_ready(self._layout)
        keeping.unlock()
        return self._launch_keeper()

    def _check_durability(self) -> None:
        exists = (self._layout.data / "PG_VERSION").exists()
        if exists and self._layout.without_durability.exists() == self._durable:
            raise EmbeddedPostgresError(
                f"{self._layout.root} was made {'without' if self._durable else 'with'} durability; "
                "choose another directory with CONTINUUM_DATA_DIR"
            )
        if not exists:
            if self._durable:
                self._layout.without_durability.unlink(missing_ok=True)
            else:
                self._layout.without_durability.touch()

    def _launch_keeper(self) -> bool:
        claim_sockets(self._layout, self._account)
        binaries = find_binaries(self._layout, self._account, os.environ)
        orders = json.dumps(self._orders(binaries))
        script = Path(__file__).with_name("keeper.py")
        with subprocess.Popen(
            [sys.executable, "-I", "-S", str(script), orders],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as starting:
            said, wrong = starting.communicate()
        try:
            answer = json.loads(said)
        except ValueError:
            last = wrong.decode(errors="replace").strip().splitlines()[-1:]
            raise EmbeddedPostgresError(
                f"the server's keeper ended at once: {''.join(last) or 'it said nothing'}"
            ) from None
        if "error" in answer:
            raise EmbeddedPostgresError(f"{answer['error']} (see {self._layout.log})")
        return "ready" in answer

    def _orders(self, binaries: Binaries) -> dict[str, object]:
        return {
            "root": str(self._layout.root),
            "sockets": str(self._layout.sockets),
            "initdb": initdb_command(binaries, durable=self._durable),
            "server": server_command(binaries, self._layout, durable=self._durable),
            "uid": self._account.uid if self._account.changes else None,
            "gid": self._account.gid if self._account.changes else None,
            "environment": server_environment(self._account),
            "start_timeout": limits.START_TIMEOUT_S,
            "stop_timeout": limits.STOP_TIMEOUT_S,
            "look_again": limits.LOOK_AGAIN_S,
            "restarts": limits.RESTARTS,
            "restarts_within": limits.RESTARTS_WITHIN_S,
            "log_lines": limits.LOG_LINES_SHOWN,
            "remove_afterwards": self._temporary,
        }


@contextmanager
def _at_the_gate(layout: Layout) -> Iterator[None]:
    gate = FileLock(layout.root / GATE)
    try:
        gate.lock()
        yield
    finally:
        # A child forked by another thread meanwhile has this file open: closing alone would leave it locked.
        gate.unlock()
        gate.close()


def _others_hold(layout: Layout) -> bool:
    """Tell whether anyone still uses the server; sure only for someone who stands at the gate."""
    look = FileLock(layout.root / HOLDERS)
    try:
        # Exclusive means nobody is left; not even shared means the keeper knows that already.
        return not look.try_lock() and look.try_share()
    finally:
        look.close()


def _is_ready(layout: Layout) -> bool:
    lines = _running(layout)
    return len(lines) > 7 and lines[7].strip() == "ready"


def _await_orphan(layout: Layout) -> None:
    """Wait for a server whose keeper was killed; it has been interrupted and is on its way out."""
    deadline = time.monotonic() + limits.STOP_TIMEOUT_S
    while _running(layout) and time.monotonic() < deadline:
        time.sleep(limits.LOOK_AGAIN_S)


def _running(layout: Layout) -> list[str]:
    """What the running server says of itself, line by line; nothing where none runs."""
    try:
        lines = (layout.data / "postmaster.pid").read_text().splitlines()
        os.kill(int(lines[0]), 0)
    except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
        # A killed server leaves its file behind, and one that starts has not written it all yet.
        return []
    return lines
