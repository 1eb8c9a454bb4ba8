"""The run-time guard: what a scan of the source cannot see is refused when it happens.

While a run is being stepped, reading a clock, drawing randomness, touching a file, a
socket, a process or a thread, and blocking the process raise `DeterminismError`, which
names the call, its line and what to use instead. Everywhere else, and in other threads,
the same calls are what they were. `calls.py` lists what is refused, `names.py` and
`audit.py` are the two ways it is noticed, `verdict.py` decides and words the refusal.
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
    """Guard the steps of this process, once; `CONTINUUM_GUARD=off` leaves them alone.

    Called by whatever hosts runs, never by a client: Python cannot take an audit hook back.
    """
    wanted = os.environ.get(SWITCH, "on")
    if wanted not in ("on", "off"):
        raise InvalidOption(f"{SWITCH} is 'on' or 'off', not {wanted!r}")
    if wanted == "off" or is_installed():
        return
    guard = NameGuard()
    audit.install(guard)
    # A fork made by another thread while a run is being stepped must not inherit the refusals.
    os.register_at_fork(after_in_child=guard.forget)
    step_guard.install(guard)


def is_installed() -> bool:
    """Whether the steps of this process are guarded."""
    return isinstance(step_guard.active, NameGuard)
