"""A node's private directory, and the removal of those that dead nodes have left.

A node removes its own at its end, but one that is killed whole cannot. Every process of
a node holds the lock on a file in it, and the kernel lets go of it when the last is gone:
the next node to start removes what nobody holds.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "continuum-node-"
_LOCK = "alive"


def make_node_directory() -> Path:
    """Make a directory that is ours alone, held for as long as a process forked from this one lives."""
    remove_dead_directories()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    # Locked before it has its name: nobody may take it for a dead node's in between.
    unnamed = directory / f"{_LOCK}.new"
    descriptor = os.open(unnamed, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    unnamed.rename(directory / _LOCK)
    return directory


def remove_dead_directories() -> None:
    """Remove what nodes of this user have left that were killed whole."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if directory.lstat().st_uid != os.geteuid():
                continue
            descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            # Gone meanwhile, not a node's, or one whose lock has no name yet.
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(directory, ignore_errors=True)
        finally:
            os.close(descriptor)
