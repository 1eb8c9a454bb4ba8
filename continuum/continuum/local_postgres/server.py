"""Start, share and leave the embedded server.

Every process that uses a server holds a shared lock in its directory. The first one starts the
keeper, which stops the server once no process holds that lock any more, however the last holder
ended. A forked child of a holder is a holder too; a spawned one makes its own `EmbeddedPostgres` and
joins in milliseconds.

Every call here blocks for at most the time of a start; `async with` moves it to a thread.
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
    """This user's own server, shared by every process that names the same directory.

    With `durable=False` it runs without fsync, for tests. Such a cluster is marked: opening it as a
    durable one is refused, and the other way round too.
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
        """Return a server without durability in a new directory, which is removed after its last user."""
        account = server_account(os.environ, uid=os.geteuid())
        server = cls(new_temporary_directory(account), durable=False)
        server._temporary = True
        return server

    @property
    def dsn(self) -> str:
        """Return the DSN: a Unix socket in a directory that only its owner may enter."""
        host = quote(str(self._layout.sockets), safe="")
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={host}&port={PORT}"

    @property
    def data_directory(self) -> Path:
        """Return the directory that holds the cluster, its log and its locks."""
        return self._layout.root

    @property
    def has_data(self) -> bool:
        """Return whether there is a cluster, or something in the way of one that only `start` can name."""
        root = self._layout.root
        try:
            return (self._layout.data / "PG_VERSION").exists() or (root.exists() and not root.is_dir())
        except OSError:
            return True

    def start(self) -> None:
        """Start the server, or join a running one; return once it accepts connections.

        A second call starts a server again that went down with its keeper.
        """
        try:
            claim(self._layout, self._account)
            with _gate_locked(self._layout):
                before, self._hold = self._hold, self._join_or_start()
                if before is not None:
                    before.close()
        except OSError as error:
            raise EmbeddedPostgresError(
                f"cannot use {self._layout.root}: {error}; choose another directory with CONTINUUM_DATA_DIR"
            ) from error

    def stop(self) -> None:
        """Leave the server; if no other process uses it, return once it has ended."""
        hold, self._hold = self._hold, None
        if hold is None:
            return
        with _gate_locked(self._layout):
            keeping = FileLock(self._layout.root / KEEPER)
            try:
                hold.close()
                if not _others_hold(self._layout):
                    keeping.lock()
                    _wait_for_orphan(self._layout)
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
                # If no shared lock is free, the keeper has the exclusive one: it is ending the server.
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
            output, errors = starting.communicate()
        try:
            report = json.loads(output)
        except ValueError:
            last = errors.decode(errors="replace").strip().splitlines()[-1:]
            raise EmbeddedPostgresError(
                f"the server's keeper ended at once: {''.join(last) or 'it said nothing'}"
            ) from None
        if "error" in report:
            raise EmbeddedPostgresError(f"{report['error']} (see {self._layout.log})")
        return "ready" in report

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
def _gate_locked(layout: Layout) -> Iterator[None]:
    gate = FileLock(layout.root / GATE)
    try:
        gate.lock()
        yield
    finally:
        # A child that another thread forked meanwhile has this file open: closing alone would not unlock it.
        gate.unlock()
        gate.close()


def _others_hold(layout: Layout) -> bool:
    """Return whether another process still uses the server; reliable only while holding the gate lock."""
    lock = FileLock(layout.root / HOLDERS)
    try:
        # An exclusive lock means that no holder is left; if even a shared one fails, the keeper has noticed.
        return not lock.try_lock() and lock.try_share()
    finally:
        lock.close()


def _is_ready(layout: Layout) -> bool:
    lines = _running(layout)
    return len(lines) > 7 and lines[7].strip() == "ready"


def _wait_for_orphan(layout: Layout) -> None:
    """Wait for a server whose keeper was killed: it was interrupted and is shutting down."""
    deadline = time.monotonic() + limits.STOP_TIMEOUT_S
    while _running(layout) and time.monotonic() < deadline:
        time.sleep(limits.LOOK_AGAIN_S)


def _running(layout: Layout) -> list[str]:
    """Return the lines of the running server's pid file; none if no server runs."""
    try:
        lines = (layout.data / "postmaster.pid").read_text().splitlines()
        os.kill(int(lines[0]), 0)
    except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):
        # A killed server leaves its file behind, and one that starts has not written it all yet.
        return []
    return lines
