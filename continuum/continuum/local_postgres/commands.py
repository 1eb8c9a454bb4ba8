"""The commands the keeper runs: initdb, and the server with its settings."""

from __future__ import annotations

import os

from continuum.local_postgres import limits
from continuum.local_postgres.account import Account
from continuum.local_postgres.binaries import Binaries
from continuum.local_postgres.directory import PORT, Layout

SUPERUSER = "continuum"
DATABASE = "postgres"


def initdb_command(binaries: Binaries, *, durable: bool) -> list[str]:
    """Return the command that creates a cluster; the keeper adds the directory."""
    command = [
        str(binaries.directory / "initdb"),
        f"--username={SUPERUSER}",
        "--encoding=UTF8",
        "--no-locale",
        # Only the owner of the socket's directory can connect at all.
        "--auth-local=trust",
        "--auth-host=reject",
        "--no-instructions",
    ]
    return command if durable else [*command, "--no-sync"]


def server_command(binaries: Binaries, layout: Layout, *, durable: bool) -> list[str]:
    """Return the command that runs the server with all its settings; the cluster's files stay unchanged."""
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(layout.sockets),
        "port": str(PORT),
        "max_connections": str(limits.MAX_CONNECTIONS),
        "shared_buffers": limits.SHARED_BUFFERS,
        # The journal's statements are short: compiling them costs more than it saves.
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    switch = "on" if durable else "off"
    settings |= {"fsync": switch, "synchronous_commit": switch, "full_page_writes": switch}
    command = [str(binaries.directory / "postgres")]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def server_environment(account: Account) -> dict[str, str]:
    """Return the environment of the server's programs, without any variable of Postgres."""
    # A user's PGDATA or PGPORT must not reach the server, and its log stays in English.
    environment = {"LC_ALL": "C", "USER": account.name, "PATH": os.environ.get("PATH", os.defpath)}
    libraries = os.environ.get("LD_LIBRARY_PATH")
    return environment | ({"LD_LIBRARY_PATH": libraries} if libraries else {})
