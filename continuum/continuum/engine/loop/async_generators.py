"""Async generators of a run: which run began one, and how an abandoned one ends.

A thread has two hooks for async generators: Python calls one when a generator begins and
the other when a generator is collected before its end. Setting them raises audit events,
which a guarded process pays for. So they are set once in a thread whose loop runs, and
they pass generators that belong to no run to the hooks that were there before. The owner
of a generator is recorded at its beginning: when it is collected, another run may be
running.
"""

from __future__ import annotations

import sys
from asyncio import AbstractEventLoop
from typing import Any
from weakref import WeakValueDictionary

from continuum.engine.loop.current import Generator, GeneratorOwner, Running, thread

# The references to a generator that the code has dropped: our argument, the one of the function that
# counts them, and the interpreter's. The cycle collector holds one more, besides those in the cycle.
_REFERENCES_WHEN_DROPPED = 3

# By id, because a generator that is being collected has no weak references left. Python does not report
# a generator that ends: its entry goes with its run, or when its id is used again.
_owners: WeakValueDictionary[int, GeneratorOwner] = WeakValueDictionary()


class Hooks:
    """The two hooks of a thread, and those that were there before them."""

    __slots__ = ("before",)

    def __init__(self, before: Any) -> None:
        self.before = before

    def begins(self, generator: Generator) -> None:
        """Record the run that begins the generator."""
        run = thread.running.run
        if run is not None:
            _owners[id(generator)] = run.loop
            return
        _owners.pop(id(generator), None)
        if self.before.firstiter is not None:
            self.before.firstiter(generator)

    def collected(self, generator: Generator) -> None:
        """Close an abandoned async generator inside the run that dropped it.

        A run's generator that is collected at any other time gets no end. Its `finally` would act
        for the run that is running then; and a generator in a cycle of references is collected at a
        moment that no replay repeats.
        """
        owner = _owners.pop(id(generator), None)
        if owner is None:
            if self.before.finalizer is not None:
                self.before.finalizer(generator)
        elif sys.getrefcount(generator) == _REFERENCES_WHEN_DROPPED:
            owner.end_generator(generator)


def set_generator_hooks(running: Running, host: AbstractEventLoop | None) -> Hooks | None:
    """Set the hooks of this thread; return them if the caller must restore the old ones after the step.

    `running` is this thread's. While `host` runs they stay: it restores the old ones itself at its end.
    """
    before = sys.get_asyncgen_hooks()
    if before[0] is not None and before[0] is running.generator_hook:
        return None
    hooks = Hooks(before)
    running.generator_hook = hooks.begins
    sys.set_asyncgen_hooks(running.generator_hook, hooks.collected)
    return hooks if host is None else None
