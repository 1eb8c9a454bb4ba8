"""What the processes of one node inherit by being forked: set once in the system process, read below it.

Also the door through which every forked process comes into being.
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


def hand_down(inherited: Inherited) -> None:
    """Keep what every process forked from now on will need."""
    _inherited.append(inherited)


def inherited() -> Inherited:
    return _inherited[-1]


def close_life_pipe() -> None:
    """Let go of the pipe that only the system process watches."""
    held = inherited()
    if held.life is not None:
        os.close(held.life)
        # What is forked from here must not close whatever has the number by then.
        held.life = None


def close_launcher_connections() -> None:
    """Let go of all that leads to the launcher: it is to see the supervisor's end, user code none of it."""
    close_life_pipe()
    inherited().control.close()


def own_logging() -> None:
    """Undo Thespian's diversion of the logging module to a process of its own."""
    logging.root = _log_root
    logging.Logger.root = _log_root
    logging.Logger.manager = _log_manager


def forking_parent() -> int:
    """Tell which process has forked this one, as it was at the fork."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    assert parent.pid is not None
    return parent.pid
