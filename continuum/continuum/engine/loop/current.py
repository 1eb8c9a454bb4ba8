"""The run whose code runs in this thread right now.

asyncio knows it too, because a run's loop is the running loop meanwhile. But before
Python 3.12 asyncio asks the system for the process id at every question.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from threading import local
from typing import Any, Protocol, TypeAlias

Generator: TypeAlias = AsyncGenerator[Any, Any]


class GeneratorOwner(Protocol):
    """The loop of a run, which ends the async generators that its code abandons."""

    def end_generator(self, generator: Generator) -> None:
        """Finish a generator that the run's code has just dropped."""
        ...


class Commands(Protocol):
    """The command log of a run, as far as this package and the guard read it."""

    @property
    def at(self) -> int:
        """When the current step began on the journal's clock, in microseconds."""
        ...

    @property
    def closing(self) -> bool:
        """Whether the run's coroutines are being closed."""
        ...

    @property
    def in_side_effect(self) -> bool:
        """Whether the code is inside `side_effect`."""
        ...

    @property
    def verdict(self) -> object | None:
        """What ended the run in the middle of a step, if anything has."""
        ...


class ActiveRun(Protocol):
    """A run whose code is running."""

    @property
    def log(self) -> Commands:
        """Its command log."""
        ...

    @property
    def loop(self) -> GeneratorOwner:
        """Its loop."""
        ...


class Running:
    """What runs in one thread: the run, and the hook for new async generators that it was given last."""

    __slots__ = ("generator_hook", "run")

    def __init__(self) -> None:
        self.run: ActiveRun | None = None
        self.generator_hook: Callable[[Any], None] | None = None


class _Thread(local):
    def __init__(self) -> None:
        self.running = Running()


thread = _Thread()
"""A run's loop sets the run of its thread for as long as it runs callbacks."""


def current() -> ActiveRun | None:
    """Return the run whose code is running in this thread, if any."""
    return thread.running.run
