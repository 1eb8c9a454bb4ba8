"""Child processes that hold an embedded server, to be killed; and a look at what a kill leaves behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from continuum.local_postgres.account import server_account
from continuum.local_postgres.directory import new_temporary_directory
from continuum.local_postgres.locks import KEEPER, FileLock

# Far above what any of it takes, so that a slow machine fails no test.
DEADLINE_S = 60.0

HOLD = """
import sys
from pathlib import Path
from continuum.local_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print("held", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Server:
    """The processes of one running server."""

    postmaster: psutil.Process
    keeper: psutil.Process


@contextmanager
def holder(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield a child process that holds the server of this directory."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "held\n"
            yield child
        finally:
            child.kill()


@contextmanager
def server_directory() -> Iterator[Path]:
    """Yield an empty directory that the server's account can enter; remove it when no server is left."""
    made = new_temporary_directory(server_account(os.environ, uid=os.geteuid()))
    try:
        yield made
    finally:
        if (made / KEEPER).exists():
            keeping = FileLock(made / KEEPER)
            eventually(keeping.try_lock, "a server is still there at the end of the test")
            keeping.close()
        shutil.rmtree(made)


def server_of(directory: Path) -> Server:
    """Find the server that runs in this directory."""
    postmaster = psutil.Process(int((directory / "data" / "postmaster.pid").read_text().splitlines()[0]))
    keeper = postmaster.parent()
    assert keeper is not None
    assert "keeper.py" in " ".join(keeper.cmdline())
    return Server(postmaster=postmaster, keeper=keeper)


def is_over(process: psutil.Process) -> bool:
    """Tell whether the process has ended; a zombie that init has yet to reap has.

    Not while another thread of a zombie still ends: until then the process keeps its locks.
    """
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1)
    except psutil.NoSuchProcess:
        return True


def eventually(claim: Callable[[], bool], otherwise: str) -> None:
    """Return once the claim holds; fail when it does not within the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline, otherwise
        threading.Event().wait(0.005)
