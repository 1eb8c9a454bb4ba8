"""Exceptions without their frames, once they have been described.

The frames of a traceback have what the code knew, which often leads back to the exception: a future that it
was set on, a variable that it was caught in. Only the collector of cycles frees those, and it stops the
process for as long as it takes.
"""

from __future__ import annotations

import asyncio
from typing import Any

# Looked up on the base classes: a subclass may hide an attribute behind a property that raises.
_TRACEBACK: Any = BaseException.__dict__["__traceback__"]
_OTHERS: tuple[Any, ...] = tuple(BaseException.__dict__[name] for name in ("__cause__", "__context__"))
_MEMBERS: Any = BaseExceptionGroup.__dict__["exceptions"]


def forget_frames(error: BaseException) -> None:
    """Remove the tracebacks of an exception, of those that led to it, and of the members of groups."""
    found, left = {id(error)}, [error]
    while left:
        each = left.pop()
        _TRACEBACK.__set__(each, None)
        others = [other.__get__(each) for other in _OTHERS]
        # Not isinstance, which asks the exception for its class.
        if issubclass(type(each), BaseExceptionGroup):
            others += _MEMBERS.__get__(each)
        for other in others:
            if other is not None and id(other) not in found:
                found.add(id(other))
                left.append(other)


def forget_place(task: asyncio.Task[Any], error: BaseException) -> None:
    """Let a task that has raised `error` forget where: the frames often refer to the task.

    The error itself keeps its traceback.
    """
    place = _TRACEBACK.__get__(error)
    try:
        task.result()
    except BaseException as again:
        if again is not error:
            raise
    finally:
        _TRACEBACK.__set__(error, place)


def forget_cancellation(task: asyncio.Task[Any]) -> None:
    """Let a cancelled task forget where that was."""
    try:
        task.result()
    except asyncio.CancelledError as error:
        forget_frames(error)
