"""Signals in the processes of a node.

Thespian gives every signal a handler that only logs. With it a real segmentation fault never ends the
process: the handler returns and the instruction faults again, for ever. And SIGTERM, which service managers
send to every process of a group, would end a process while the launcher is about to drain it.
"""

import signal
from types import FrameType

# The launcher handles these. SIG_IGN would be inherited by programs that are started from here.
_LEFT_TO_THE_LAUNCHER = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_KEPT_BY_PYTHON = (signal.SIGPIPE, signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM)


def restore_signals(*, keep_child_signal: bool) -> None:
    """Undo Thespian's handlers, except the one for dead children if `keep_child_signal` says so."""
    for number in signal.valid_signals():
        if number in _KEPT_BY_PYTHON or (keep_child_signal and number == signal.SIGCHLD):
            continue
        if number in _LEFT_TO_THE_LAUNCHER:
            signal.signal(number, _leave_to_the_launcher)
        elif signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)


def _leave_to_the_launcher(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the launcher got the signal too, or should have been sent it."""
