"""A Postgres of the play's own, durable, that can be killed, paused, filled up and made a standby.

Nodes connect as an ordinary role over TCP, so that a partition cuts them off and so that running out
of connections leaves the superuser a few.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from continuum.local_postgres.account import Account, server_account
from continuum.local_postgres.binaries import find_binaries
from continuum.local_postgres.directory import layout_of
from tests.chaos.network import Place

SUPERUSER = "postgres"
ROLE = "chaos"
CONNECTIONS = 60
# So small that a full disk is reached at once, so large that a play of an hour fits.
DISK_MIB = 2048
DEADLINE_S = 60.0


@dataclass
class Server:
    """One cluster and the process that serves it, if it runs."""

    directory: Path
    place: Place
    port: int
    own_disk: bool
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Return the directory of the cluster."""
        return self.directory / "data"

    @property
    def dsn(self) -> str:
        """Return the DSN of the ordinary role."""
        return self._dsn(ROLE)

    @property
    def superuser_dsn(self) -> str:
        """Return the DSN of the superuser."""
        return self._dsn(SUPERUSER)

    def create(self) -> None:
        """Create the cluster, start it, and create the role and its database."""
        account = server_account(os.environ, uid=os.geteuid())
        self._programs = find_binaries(layout_of(self.directory), account, os.environ).directory
        self._account = account
        if self.own_disk:
            _run("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "chaos", str(self.directory))
        if account.changes:
            os.chown(self.directory, account.uid, account.gid)
        os.chmod(self.directory, 0o700)
        _run(
            *self._as_account(), str(self._programs / "initdb"), f"--username={SUPERUSER}", "--encoding=UTF8",
            "--no-locale", "--auth=trust", "--no-instructions", f"--pgdata={self.data}",
        )  # fmt: skip
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
        self.start()
        with psycopg.connect(self._dsn(SUPERUSER, "postgres"), autocommit=True) as connection:
            connection.execute(f"create role {ROLE} login")
            connection.execute(f"create database {ROLE} owner {ROLE} encoding 'UTF8' template template0")

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        settings = {
            "listen_addresses": self.place.address,
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            "max_connections": str(CONNECTIONS),
            "jit": "off",
            "wal_keep_size": "0",
            "max_wal_size": "256MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + DEADLINE_S
        while not self._started(options):
            # The backends of the server before it, or a full disk, may still be in its way.
            if time.monotonic() > deadline:
                raise TimeoutError("Postgres does not start; see postgres.log")
            threading.Event().wait(0.2)

    def _started(self, options: list[str]) -> bool:
        with (self.directory.parent / "postgres.log").open("ab") as log:
            postgres = (self._programs / "postgres", "-D", self.data)
            self.process = subprocess.Popen(
                [*self.place.enter, *self._as_account(), *postgres, *options],
                stdout=log,
                stderr=log,
                cwd="/",
            )  # fmt: skip
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            if self.accepts():
                return True
            if time.monotonic() > deadline:
                raise TimeoutError("Postgres accepts no connection; see postgres.log")
            threading.Event().wait(0.05)
        return False

    def kill(self) -> None:
        """Kill the server as a power cut does."""
        assert self.process is not None
        _signal(self.process, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """Stop the server at once, in order."""
        if self.process is None or self.process.poll() is not None:
            return
        _signal(self.process, signal.SIGCONT)
        _signal(self.process, signal.SIGINT)
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def close(self) -> None:
        """Stop the server and give its disk back."""
        self.end()
        if self.own_disk:
            _run("umount", "--lazy", str(self.directory))

    def _dsn(self, user: str, database: str = ROLE) -> str:
        return f"postgresql://{user}@{self.place.address}:{self.port}/{database}?connect_timeout=5"

    def _as_account(self) -> tuple[str, ...]:
        account: Account = self._account
        if not account.changes:
            return ()
        owner = (f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups")
        return ("setpriv", *owner, "--pdeathsig", "KILL")

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the running server."""
        if self.process is None or self.process.poll() is not None:
            return []
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def accepts(self) -> bool:
        """Return whether the server accepts a connection now."""
        try:
            with psycopg.connect(self._dsn(SUPERUSER, "postgres")):
                return True
        except psycopg.OperationalError:
            return False


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=DEADLINE_S, cwd="/")
