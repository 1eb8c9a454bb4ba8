"""Advisory file locks between processes: who uses the server, who keeps it, who is starting or leaving.

A lock is released by the kernel when the last descriptor of its file closes, so a
process killed in any way leaves nothing stale. Three files, three meanings:

- ``gate.lock``, exclusive, for moments: a process is starting, joining or leaving;
- ``holders.lock``, shared by every process that uses the server; the keeper waits for
  it exclusively, and has it only after the last holder is gone;
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
    """One open lock file; not shared between threads."""

    def __init__(self, path: Path) -> None:
        # The directory belongs to the server's account, so a planted link must not be followed by root.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o600)

    def lock(self) -> None:
        """Take the lock exclusively, waiting for as long as it takes."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def try_lock(self) -> bool:
        """Take the lock exclusively if nobody has it."""
        return self._try(fcntl.LOCK_EX)

    def try_share(self) -> bool:
        """Take a share of the lock if nobody has it exclusively."""
        return self._try(fcntl.LOCK_SH)

    def unlock(self) -> None:
        """Release the lock, also in children that were forked meanwhile."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give up this process's hold; a forked child that has the file open keeps its own."""
        os.close(self._descriptor)

    def _try(self, mode: int) -> bool:
        try:
            fcntl.flock(self._descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
