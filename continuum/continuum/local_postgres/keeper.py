"""The parent of the embedded server: starts it, restarts it, stops it after its last user, and ends.

An interpreter with nothing else loaded runs this file as a script, so it imports only the standard
library; its one argument is a JSON object (see `Orders`). It leaves its starter's process group and
parent at once, so that it never becomes a zombie and no Ctrl-C reaches it. One line of JSON on
standard output reports whether the start succeeded.

- The server dies while it is in use: the keeper starts it again.
- The last process that uses it ends: the keeper gets the exclusive lock, stops the server and ends.
- The keeper itself is killed: on Linux the kernel interrupts the server, which then shuts down in
  order. Elsewhere the next keeper reports the server that it finds.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1

# What a server logs while the one before it still shuts down.
STILL_STOPPING = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')


@dataclass(frozen=True, slots=True)
class Orders:
    """What the starter wants the keeper to do."""

    root: str
    sockets: str
    initdb: list[str]
    server: list[str]
    uid: int | None
    gid: int | None
    environment: dict[str, str]
    start_timeout: float
    stop_timeout: float
    look_again: float
    restarts: int
    restarts_within: float
    log_lines: int
    remove_afterwards: bool


class StartFailed(Exception):
    """The server, or initdb, ended before the server was ready; the text is for the starter."""


class Keeper:
    """One server, which ends when its last user leaves or on a signal."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._root = Path(orders.root)
        self._data = self._root / "data"
        self._log = self._root / "postgres.log"
        self._server: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._process = os.getpid()
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def start(self) -> None:
        """Create the cluster if there is none, and return once the server accepts connections."""
        if not (self._data / "PG_VERSION").exists():
            self._create_cluster()
        deadline = time.monotonic() + self._orders.start_timeout
        while True:
            self._start_server()
            written = self._wait_until_ready(deadline)
            if written is None:
                return
            if time.monotonic() > deadline or not any(reason in written for reason in STILL_STOPPING):
                raise StartFailed(f"the server did not start: {self._last_lines(written)}")
            time.sleep(self._orders.look_again * 10)

    def keep(self) -> None:
        """Restart the server whenever it dies; return once it has been stopped."""
        deaths: deque[float] = deque(maxlen=self._orders.restarts)
        while True:
            assert self._server is not None
            self._server.wait()
            if self._stopping.is_set():
                return
            deaths.append(time.monotonic())
            if len(deaths) == deaths.maxlen and deaths[-1] - deaths[0] < self._orders.restarts_within:
                raise StartFailed("the server died too often to be started again")
            self.start()

    def stop(self) -> None:
        """Shut the server down, by force if it takes too long; both are safe for its data."""
        self._stopping.set()
        for order in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            server = self._server
            if server is None or server.poll() is not None:
                return
            server.send_signal(order)
            try:
                server.wait(self._orders.stop_timeout)
            except subprocess.TimeoutExpired:
                continue

    def _create_cluster(self) -> None:
        # Build it aside and rename it: a killed start never leaves half a cluster under the real name.
        aside = self._root / "data.new"
        shutil.rmtree(aside, ignore_errors=True)
        made = self._spawn([*self._orders.initdb, "-D", str(aside)], subprocess.PIPE)
        output, _ = made.communicate()
        if made.returncode != 0:
            raise StartFailed(f"initdb failed: {self._last_lines(output.decode(errors='replace'))}")
        aside.rename(self._data)

    def _start_server(self) -> None:
        if self._log.exists():
            self._log.replace(self._log.with_name("postgres.log.previous"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        log = os.open(self._log, flags, 0o600)
        try:
            self._server = self._spawn([*self._orders.server, "-D", str(self._data)], log)
        finally:
            os.close(log)
        if self._stopping.is_set():
            self._server.send_signal(signal.SIGINT)

    def _spawn(self, command: list[str], output: int) -> subprocess.Popen[bytes]:
        drop = self._orders.uid is not None
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self._root,
            env=self._orders.environment,
            user=self._orders.uid,
            group=self._orders.gid,
            extra_groups=[] if drop else None,
            # Runs after the change of user, which would clear what it sets.
            preexec_fn=self._die_with_keeper if self._libc is not None else None,
        )

    def _die_with_keeper(self) -> None:
        assert self._libc is not None
        self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != self._process:
            os._exit(1)

    def _wait_until_ready(self, deadline: float) -> str | None:
        """Return None once the server is ready, or what it wrote if it ended before that."""
        assert self._server is not None
        while self._server.poll() is None:
            if self._is_ready(self._server.pid):
                return None
            if time.monotonic() > deadline:
                self.stop()
                raise StartFailed(f"the server was not ready after {self._orders.start_timeout:g} s")
            time.sleep(self._orders.look_again)
        return self._log.read_text(errors="replace")

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _last_lines(self, text: str) -> str:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-self._orders.log_lines :]) or "it wrote nothing"


def leave_the_starter() -> None:
    """Become a child of init, in a session of its own."""
    if os.fork() > 0:
        os._exit(0)
    os.setsid()
    os.chdir("/")


def stop_on_signal(_number: int, _frame: object) -> NoReturn:
    """End through the `finally` of `main`."""
    raise SystemExit(0)


def report(**facts: object) -> None:
    """Write one line of JSON to the starter, and close its pipe."""
    try:
        os.write(1, json.dumps(facts).encode() + b"\n")
    except BrokenPipeError:
        # The starter is gone, and so is its share of the holders' lock, which is what counts.
        pass
    devnull = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(devnull, descriptor)


def main(argument: str) -> int:
    """Keep one server running for as long as any process uses it."""
    orders = Orders(**json.loads(argument))
    leave_the_starter()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    root = Path(orders.root)
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    keeping = os.open(root / "keeper.lock", flags)
    holders = os.open(root / "holders.lock", flags)
    try:
        fcntl.flock(keeping, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # A starter was killed after it had started a keeper; that keeper keeps the server.
        report(another=True)
        return 0
    keeper = Keeper(orders)
    signal.signal(signal.SIGTERM, stop_on_signal)

    def stop_after_the_last_holder() -> None:
        fcntl.flock(holders, fcntl.LOCK_EX)
        keeper.stop()

    try:
        keeper.start()
        report(ready=True)
        threading.Thread(target=stop_after_the_last_holder, daemon=True).start()
        keeper.keep()
    except (StartFailed, OSError, subprocess.SubprocessError) as error:
        report(error=str(error))
        return 1
    finally:
        keeper.stop()
        clean_up(orders)
    return 0


def clean_up(orders: Orders) -> None:
    """Remove a socket directory outside the root, and the whole root of a temporary cluster."""
    if Path(orders.sockets).parent != Path(orders.root):
        shutil.rmtree(orders.sockets, ignore_errors=True)
    if orders.remove_afterwards:
        shutil.rmtree(orders.root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
