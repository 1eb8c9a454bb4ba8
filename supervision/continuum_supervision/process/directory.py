"""The private directory of a node, and the removal of directories that dead nodes have left.

A node removes its directory at its end, but not if all its processes are killed at once. Therefore every
process of a node holds the lock on a file in the directory, and the kernel releases it when the last process
is gone. The next node that starts removes the directories whose lock is free.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "continuum-node-"
_LOCK = "alive"


def make_node_directory() -> Path:
    """Make a private directory, locked for as long as this process or one forked from it lives."""
    remove_dead_directories()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    # Lock the file before it gets its name: another node could take the directory for a dead node's.
    unnamed = directory / f"{_LOCK}.new"
    descriptor = os.open(unnamed, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    unnamed.rename(directory / _LOCK)
    return directory


def remove_dead_directories() -> None:
    """Remove the directories of dead nodes of this user."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if directory.lstat().st_uid != os.geteuid():
                continue
            descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            # It is gone, is no node's directory, or its lock has no name yet.
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(directory, ignore_errors=True)
        finally:
            os.close(descriptor)
