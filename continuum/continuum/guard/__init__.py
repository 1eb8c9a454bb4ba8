"""The run-time guard: it refuses forbidden calls that a scan of the source cannot see.

While a run's code runs, reading a clock, making random values, using a file, a socket, a
process or a thread, and blocking the process raise `DeterminismError`. The error names the
call, its line and what to use instead. Everywhere else, and in other threads, the same calls
work as always. `calls.py` lists what is refused, `names.py` and `audit.py` are the two ways
to notice it, and `verdict.py` decides and words the error.
"""

from __future__ import annotations

import os

from continuum.engine.loop import step_guard
from continuum.errors import InvalidOption
from continuum.guard import audit
from continuum.guard.names import NameGuard

__all__ = ["install", "is_installed"]

SWITCH = "CONTINUUM_GUARD"


def install() -> None:
    """Guard the steps of this process, once; with `CONTINUUM_GUARD=off` do nothing.

    Only a process that hosts runs calls this, never a client: Python cannot remove an audit hook.
    """
    wanted = os.environ.get(SWITCH, "on")
    if wanted not in ("on", "off"):
        raise InvalidOption(f"{SWITCH} is 'on' or 'off', not {wanted!r}")
    if wanted == "off" or is_installed():
        return
    guard = NameGuard()
    audit.install(guard)
    # A process that another thread forks while a run's code runs must not inherit the refusals.
    os.register_at_fork(after_in_child=guard.forget)
    step_guard.install(guard)


def is_installed() -> bool:
    """Whether the guard is installed in this process."""
    return isinstance(step_guard.active, NameGuard)
