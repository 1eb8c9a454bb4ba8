"""Signals of the engine that travel through user code.

They are `BaseException`s, so `except Exception` cannot eat them; code that
catches `BaseException` anyway is caught by the sticky flag the execution keeps
(`CommandLog.verdict`), which is checked after every step.
"""

from __future__ import annotations


class Control(BaseException):
    """Base of the engine's control signals."""


class Halted(Control):
    """The run cannot go on as it is; the execution's verdict says why."""


class Closed(Control, GeneratorExit):
    """The coroutine is being put away; whatever it still tries is refused.

    A `GeneratorExit`, so that Python takes it for the answer to closing a generator.
    """
