"""The guard around every step: none, until `continuum.guard` installs one here.

The engine uses no clock and no file, so it cannot forbid them either. The process that
hosts runs installs a guard, and the engine only reports when user code runs.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

__all__ = ["StepGuard", "Unguarded", "active", "install"]


class StepGuard(Protocol):
    """Entered before user code of a run runs and left afterwards; it nests, and threads may share it."""

    def watch(self, program: Coroutine[Any, Any, Any]) -> None:
        """Inspect the module that the code of a run comes from, before that code first runs."""
        ...

    def rest(self) -> None:
        """Restore everything now: no step follows for a while."""
        ...

    def __enter__(self) -> object: ...

    def __exit__(self, *exception: object) -> None: ...


class Unguarded:
    """The guard of a process that hosts no runs: it does nothing."""

    __slots__ = ()

    def watch(self, program: Coroutine[Any, Any, Any]) -> None:
        """Inspect nothing."""

    def rest(self) -> None:
        """Restore nothing."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        pass


active: StepGuard = Unguarded()


def install(guard: StepGuard) -> None:
    """Put `guard` around the steps of this process from now on."""
    global active
    active = guard
