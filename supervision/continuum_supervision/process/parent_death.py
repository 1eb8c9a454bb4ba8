"""Ends a process when its parent ends, so that no process of a node is ever orphaned.

On Linux the kernel does it, when the *thread* that forked the process ends: so every parent in a node forks
from its main thread. Elsewhere the process checks at intervals whether its parent has changed.
"""

import ctypes
import os
import signal
import sys

from continuum_supervision.process.limits import PARENT_POLL_S

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Have this process killed when its parent, the process `parent_pid`, ends."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the kernel refused to tie this process to its parent")
    else:
        signal.signal(signal.SIGALRM, lambda _signal, _frame: end_if_orphaned(parent_pid))
        signal.setitimer(signal.ITIMER_REAL, PARENT_POLL_S, PARENT_POLL_S)
    # The parent may have died between the fork and the lines above.
    end_if_orphaned(parent_pid)


def end_if_orphaned(parent_pid: int) -> None:
    """End this process at once if its parent is gone already."""
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)
