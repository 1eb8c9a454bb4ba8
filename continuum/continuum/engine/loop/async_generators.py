"""Async generators that a run's code begins, and leaves half-way.

Python tells two hooks of a thread: one when an async generator begins, one when it is
collected before its end. Setting them is announced by audit events, which a guarded
process pays for, so they are set once in a thread whose loop runs, and pass on what is
not a run's. Who began a generator has to be remembered: by the time it is collected
another run may be running.
"""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakValueDictionary

from continuum.engine.loop.current import running

if TYPE_CHECKING:
    from continuum.engine.loop.event_loop import WorkflowLoop

Generator: TypeAlias = AsyncGenerator[Any, Any]

# References to a generator that nobody has any more: our argument, what counts them, and the interpreter
# that asks us. The cycle collector has one of its own besides those in the cycle.
_LET_GO = 3

# By id, for a generator that is being collected has no weak references left. One that ended
# is not told of: its entry goes with its run, or when its id is given out again.
_owners: WeakValueDictionary[int, WorkflowLoop] = WeakValueDictionary()


class Hooks:
    """The two hooks of a thread, and those that were there before them."""

    __slots__ = ("before",)

    def __init__(self, before: Any) -> None:
        self.before = before

    def begins(self, generator: Generator) -> None:
        """Note whose it is."""
        execution = running.execution
        if execution is not None:
            _owners[id(generator)] = execution.loop
            return
        _owners.pop(id(generator), None)
        if self.before.firstiter is not None:
            self.before.firstiter(generator)

    def collected(self, generator: Generator) -> None:
        """Let the run end it whose code has just let go of it.

        Collected at any other time a run's own is dropped as it is: its `finally` would act for
        whichever run is then running, and at a moment that no replay repeats, when it was in a
        cycle of references.
        """
        owner = _owners.pop(id(generator), None)
        if owner is None:
            if self.before.finalizer is not None:
                self.before.finalizer(generator)
        elif sys.getrefcount(generator) == _LET_GO:
            owner.end_generator(generator)


def hear_of_generators(host: AbstractEventLoop | None) -> Hooks | None:
    """Set the hooks of this thread; return them if they are to be taken back after the step.

    They stay while `host` runs, which takes them back itself at its end.
    """
    before = sys.get_asyncgen_hooks()
    if before[0] is not None and before[0] is running.hears_of_generators:
        return None
    hooks = Hooks(before)
    running.hears_of_generators = hooks.begins
    sys.set_asyncgen_hooks(running.hears_of_generators, hooks.collected)
    return hooks if host is None else None
