"""How a plain function's call in a thread ended, carried to the event loop as a value.

A future refuses a `StopIteration` as its exception: the coroutine that waits for it would never
continue. As a value it arrives, and where the coroutine raises it, Python reports it as
``RuntimeError: coroutine raised StopIteration``, exactly as for an `async` function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class CallOutcome:
    """The value that a call returned, or the exception that it raised."""

    __slots__ = ("_error", "_value")

    def __init__(self, value: Any, error: BaseException | None) -> None:
        self._value = value
        self._error = error

    @property
    def error(self) -> BaseException | None:
        """The exception that `get` raises, if any."""
        return self._error

    def get(self) -> Any:
        """Return the value, or raise the exception."""
        error, self._error = self._error, None
        if error is None:
            return self._value
        try:
            raise error
        finally:
            # The traceback holds this frame: without the name there is no cycle.
            del error


def outcome_of_call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> CallOutcome:
    """Call a function and return how that ended; it never raises."""
    try:
        return CallOutcome(function(*args, **kwargs), None)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the caller raises it again
        return CallOutcome(None, error)
