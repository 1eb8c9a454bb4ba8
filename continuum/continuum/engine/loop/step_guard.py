"""What stands around every step. Nothing, until `continuum.guard` puts itself here.

The engine reaches for no clock and no file, so it cannot forbid them either: whoever
hosts runs installs a guard, and the engine only says when user code runs.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

__all__ = ["StepGuard", "Unguarded", "active", "stand"]


class StepGuard(Protocol):
    """Entered while user code of a run runs, and left afterwards; nests, and may be shared by threads."""

    def watch(self, program: Coroutine[Any, Any, Any]) -> None:
        """Learn where the code of a run comes from, before it runs for the first time."""
        ...

    def rest(self) -> None:
        """Nothing will be stepped for a while: leave nothing behind."""
        ...

    def __enter__(self) -> object: ...

    def __exit__(self, *exception: object) -> None: ...


class Unguarded:
    """For a process that hosts no runs."""

    __slots__ = ()

    def watch(self, program: Coroutine[Any, Any, Any]) -> None:
        """Learn nothing."""

    def rest(self) -> None:
        """There is nothing to leave."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        pass


active: StepGuard = Unguarded()


def stand(guard: StepGuard) -> None:
    """Let `guard` stand around the steps of this process from now on."""
    global active
    active = guard
