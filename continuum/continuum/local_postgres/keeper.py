"""The parent of the embedded server: starts it, revives it, stops it after its last user, and ends.

Run as a file of its own by an interpreter with nothing else loaded, so it may import
the standard library alone; its one argument is a JSON object (see `Orders`). It leaves
its starter's process group and parent at once, so it is nobody's zombie and no
Ctrl-C reaches it. One line of JSON on standard output says how the start went.

- The server dies while it is in use: it is started again.
- Everyone who uses it is gone: the keeper then gets the exclusive lock, ends the server, ends itself.
- The keeper itself is killed: the kernel interrupts the server (Linux), which then
  shuts down in good order. Elsewhere the next keeper reports the server it finds.
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

# What a server says when the one before it is still on its way out.
STILL_LEAVING = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')


@dataclass(frozen=True, slots=True)
class Orders:
    """What a starter asks for."""

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
    """The server, or initdb, ended before it was of use; the text is for the starter."""


class Keeper:
    """One server and the two things that may end it: its users' leaving and a signal."""

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
        """Create the cluster where there is none, and return once the server takes connections."""
        if not (self._data / "PG_VERSION").exists():
            self._create_cluster()
        deadline = time.monotonic() + self._orders.start_timeout
        while True:
            self._start_server()
            said = self._wait_until_ready(deadline)
            if said is None:
                return
            if time.monotonic() > deadline or not any(reason in said for reason in STILL_LEAVING):
                raise StartFailed(f"the server did not start: {self._last_words(said)}")
            time.sleep(self._orders.look_again * 10)

    def keep(self) -> None:
        """Stay with the server until it is stopped, and start it again when it dies before that."""
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
        """End the server in good order, then by force; both are safe for its data."""
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
        # Built aside and renamed: a killed start never leaves half a cluster under the real name.
        aside = self._root / "data.new"
        shutil.rmtree(aside, ignore_errors=True)
        made = self._spawn([*self._orders.initdb, "-D", str(aside)], subprocess.PIPE)
        output, _ = made.communicate()
        if made.returncode != 0:
            raise StartFailed(f"initdb failed: {self._last_words(output.decode(errors='replace'))}")
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
        """Return None once the server is ready, else what it wrote before it ended."""
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

    def _last_words(self, text: str) -> str:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-self._orders.log_lines :]) or "it wrote nothing"


def leave_the_starter() -> None:
    """Become the child of init, in a session of its own."""
    if os.fork() > 0:
        os._exit(0)
    os.setsid()
    os.chdir("/")


def stop_on_signal(_number: int, _frame: object) -> NoReturn:
    """End in good order, through the `finally` of `main`."""
    raise SystemExit(0)


def report(**facts: object) -> None:
    """Tell the starter, and let go of its pipe."""
    try:
        os.write(1, json.dumps(facts).encode() + b"\n")
    except BrokenPipeError:
        # The starter is gone; its share of the holders' lock went with it, which is what counts.
        pass
    silence = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silence, descriptor)


def main(argument: str) -> int:
    """Keep one server for as long as anyone holds it."""
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
        # A starter was killed between starting a keeper and hearing from it: that keeper is the one.
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
    """Remove what nobody uses any more: a socket directory outside, or a temporary cluster whole."""
    if Path(orders.sockets).parent != Path(orders.root):
        shutil.rmtree(orders.sockets, ignore_errors=True)
    if orders.remove_afterwards:
        shutil.rmtree(orders.root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
