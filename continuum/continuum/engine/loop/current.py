"""Whose code runs in this thread right now.

asyncio knows it as well, for a run's loop is the running loop meanwhile; but before
Python 3.12 it asks the system for the process id at every question.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import local
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from continuum.engine.execution import Execution


class _Running(local):
    execution: Execution | None = None
    # The hook that was set in this thread last.
    hears_of_generators: Callable[[Any], None] | None = None


running = _Running()
"""Set by a run's loop, for as long as it runs callbacks."""


def current() -> Execution | None:
    """Return the execution whose workflow code is running right now, if any."""
    return running.execution
