"""Fatal calls: whose code ended this process, where Python can tell.

`os._exit`, `os.abort` and a fatal signal to itself leave the trace of the calling code, or that of the code
that has started the calling thread. A fault in a C
library leaves the number of its thread: Python writes the stacks of all threads to a file, and marks that
one.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from continuum.definitions.activity_context import current_trace
from continuum_supervision.process.context import ProcessContext
from continuum_supervision.process.liveness import LivenessSlot

_FATAL = frozenset(
    {signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}
)
# The traces of the code that has started a thread.
_STARTED_BY: WeakKeyDictionary[threading.Thread, bytes] = WeakKeyDictionary()
_FAULTY_THREAD = re.compile(r"^Current thread 0x([0-9a-f]+)", re.MULTILINE)


def watch_fatal_calls(context: ProcessContext) -> None:
    """Have the end of this process traced to the code that causes it."""
    slot, pid = context.own_liveness, os.getpid()
    really_exit, really_abort, really_kill = os._exit, os.abort, os.kill

    def _exit(status: int) -> NoReturn:
        _leave_trace(slot, pid)
        really_exit(status)

    def abort() -> NoReturn:
        _leave_trace(slot, pid)
        really_abort()

    os._exit, os.abort = _exit, abort
    _trace_threads()
    os.kill = _traced(really_kill, slot, pid)
    # A fault in a forked child is none of this process.
    os.register_at_fork(after_in_child=faulthandler.disable)
    faulthandler.enable(_fault_file(context.directory, context.process_id, context.incarnation).open("w"))


def _traced(really_kill: Callable[[int, int], None], slot: LivenessSlot, own: int) -> Callable[..., None]:
    def kill(pid: int, sig: int, /) -> None:
        if pid != own or sig not in _FATAL:
            really_kill(pid, sig)
            return
        _leave_trace(slot, own)
        try:
            really_kill(pid, sig)
        finally:
            slot.survived()

    return kill


def _trace_threads() -> None:
    """Have it known which attempt has started a thread; what that executes later may be for another one."""
    really_start = threading.Thread.start

    def start(self: threading.Thread) -> None:
        trace = current_trace()
        if trace is not None:
            _STARTED_BY[self] = trace
        really_start(self)

    threading.Thread.start = start  # type: ignore[method-assign]


def _leave_trace(slot: LivenessSlot, pid: int) -> None:
    # A process that was forked from this one shares the board, and its end is not ours.
    if os.getpid() != pid:
        return
    trace = current_trace()
    started_by = _STARTED_BY.get(threading.current_thread()) if trace is None else None
    slot.ended_by(trace or started_by, helper=started_by is not None)


def faulty_thread(directory: Path, process_id: str, incarnation: int) -> int | None:
    """Return the thread whose fault ended a process, and remove what the process has written about it."""
    path = _fault_file(directory, process_id, incarnation)
    try:
        found: Any = _FAULTY_THREAD.search(path.read_text(errors="replace"))
        path.unlink()
    except FileNotFoundError:
        return None
    return int(found[1], 16) if found else None


def _fault_file(directory: Path, process_id: str, incarnation: int) -> Path:
    return directory / f"{process_id}.{incarnation}.fault"
