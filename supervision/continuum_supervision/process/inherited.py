"""What the processes of a node inherit when they are forked: set once in the system process, read by all.

Here too is what every forked process does first: close what it must not hold, and log for itself.
"""

import logging
import multiprocessing
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from continuum_supervision.process.liveness import LivenessBoard
from continuum_supervision.process.plan import NodePlan


@dataclass(slots=True)
class Inherited:
    """The objects of the system process that its descendants use."""

    plan: NodePlan
    control: socket.socket
    life: int | None
    directory: Path
    board: LivenessBoard
    system_pid: int
    admin_pid: int = 0


_inherited: list[Inherited] = []
_log_manager = logging.Logger.manager
_log_root = logging.root


def set_inherited(inherited: Inherited) -> None:
    """Set what every process forked from now on inherits."""
    _inherited.append(inherited)


def inherited() -> Inherited:
    return _inherited[-1]


def close_life_pipe() -> None:
    """Close the pipe that only the system process watches."""
    held = inherited()
    if held.life is not None:
        os.close(held.life)
        # A process forked from here must not close another file that has this number by then.
        held.life = None


def close_launcher_connections() -> None:
    """Close what leads to the launcher: it must see the supervisor's end, and user code must not reach it."""
    close_life_pipe()
    inherited().control.close()


def restore_logging() -> None:
    """Undo Thespian's redirection of the logging module to a process of its own."""
    logging.root = _log_root
    logging.Logger.root = _log_root
    logging.Logger.manager = _log_manager


def forking_parent() -> int:
    """Return the pid of the process that forked this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert parent.pid is not None
    return parent.pid
