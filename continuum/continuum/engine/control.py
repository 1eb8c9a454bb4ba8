"""Exceptions with which the engine stops user code.

They are `BaseException`s, so `except Exception` cannot swallow them. Code that catches
`BaseException` still cannot continue: `CommandLog.verdict` stays set, and it is checked
after every callback and at every command.
"""

from __future__ import annotations


class Control(BaseException):
    """Base of the engine's control exceptions."""


class Halted(Control):
    """The run ends here; the verdict of its command log says why."""


class Closed(Control, GeneratorExit):
    """The coroutine is being closed; every command that it still issues is refused.

    It is a `GeneratorExit`, so that Python accepts it as the normal end of closing a coroutine.
    """
