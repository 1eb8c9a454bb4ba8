"""Ties a process's life to its parent's, so that nothing is orphaned whatever is killed.

On Linux the kernel does it. It does so when the *thread* that forked ends, so every parent in a node forks
from its main thread. Elsewhere the process asks once in a while who its parent is.
"""

import ctypes
import os
import signal
import sys

from continuum_supervision.process.limits import PARENT_POLL_S

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """End this process with SIGKILL when the process `parent_pid`, which forked it, ends."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the kernel refused to tie this process to its parent")
    else:
        signal.signal(signal.SIGALRM, lambda _signal, _frame: end_if_orphaned(parent_pid))
        signal.setitimer(signal.ITIMER_REAL, PARENT_POLL_S, PARENT_POLL_S)
    # It may have died between the fork and the line above.
    end_if_orphaned(parent_pid)


def end_if_orphaned(parent_pid: int) -> None:
    """End this process at once if its parent is gone already."""
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)
