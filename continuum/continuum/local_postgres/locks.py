"""Advisory file locks between processes: which processes use, keep, start or leave the server.

The kernel releases a lock when the last descriptor of its file closes, so a killed process leaves no
stale lock. There are three files:

- ``gate.lock``, exclusive and short: a process is starting, joining or leaving;
- ``holders.lock``, shared by every process that uses the server; the keeper waits for the exclusive
  lock, and gets it only after the last holder is gone;
- ``keeper.lock``, exclusive, for the life of the keeper, hence of the server.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

GATE = "gate.lock"
HOLDERS = "holders.lock"
KEEPER = "keeper.lock"


class FileLock:
    """One open lock file; threads must not share it."""

    def __init__(self, path: Path) -> None:
        # The directory belongs to the server's account; root must not follow a link planted in it.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o600)

    def lock(self) -> None:
        """Take the exclusive lock, and wait until it is free."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def try_lock(self) -> bool:
        """Take the exclusive lock if no process has any."""
        return self._try(fcntl.LOCK_EX)

    def try_share(self) -> bool:
        """Take a shared lock if no process has the exclusive one."""
        return self._try(fcntl.LOCK_SH)

    def unlock(self) -> None:
        """Release the lock, also in children forked meanwhile."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; a forked child that has it open keeps the lock."""
        os.close(self._descriptor)

    def _try(self, mode: int) -> bool:
        try:
            fcntl.flock(self._descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
