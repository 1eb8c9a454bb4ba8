"""The one guarded way to describe an exception: whatever it is, it has a type, a message and a traceback.

An exception belongs to the user. Its `__str__`, its attributes, its notes and the fields that a
traceback shows may raise. Then the description says so: a failure that cannot be described would
otherwise be lost, and its run would wait for ever.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from continuum.quoting import one_line, shortened

# Looked up on the base class: a subclass may hide the attribute behind a property that raises.
_TRACEBACK: Any = BaseException.__dict__["__traceback__"]
_CAUSE: Any = BaseException.__dict__["__cause__"]
_QUALIFIED_NAME: Any = type.__dict__["__qualname__"]
_BASES_IN_ORDER: Any = type.__dict__["__mro__"]


def exception_name(kind: type[BaseException]) -> str:
    """Return a class's name as other processes know it, for example ``billing.CardDeclined``."""
    try:
        if kind.__module__ == "builtins":
            return kind.__qualname__
        return f"{kind.__module__}.{kind.__qualname__}"
    except BaseException:  # noqa: BLE001 - a metaclass may raise anything
        return str(_QUALIFIED_NAME.__get__(kind))


def exception_names(error: BaseException) -> frozenset[str]:
    """Return the names of all classes of an exception.

    Python raises a RuntimeError in place of a `StopIteration` that leaves a coroutine: both are named.
    """
    kinds: list[type] = list(_BASES_IN_ORDER.__get__(type(error)))
    cause = _CAUSE.__get__(error)
    if type(error) is RuntimeError and issubclass(type(cause), (StopIteration, StopAsyncIteration)):
        kinds += _BASES_IN_ORDER.__get__(type(cause))
    return frozenset(printable(exception_name(kind)) for kind in kinds if issubclass(kind, BaseException))


def message_of(error: BaseException) -> str:
    """Return an exception's text; if that cannot be made, return why."""
    return _guarded("message", lambda: str(error))


def message_with_notes(error: BaseException) -> str:
    """Return an exception's text and, on lines of their own, its notes."""
    message = message_of(error)
    notes = _guarded("notes", lambda: "\n".join(map(str, _notes_of(error))))
    return f"{message}\n{notes}" if notes else message


def traceback_of(error: BaseException) -> str:
    """Return the traceback as Python prints it, or its frames alone if the exception prevents that."""
    try:
        return "".join(traceback.format_exception(type(error), error, raised_at(error)))
    except BaseException as broken:  # noqa: BLE001 - the exception's own code may raise anything
        reason = f"<its traceback cannot be read: {exception_name(type(broken))}>\n"
        frames = _guarded("frames", lambda: "".join(traceback.format_tb(raised_at(error))))
        return f"{frames}{exception_name(type(error))}: {message_of(error)}\n{reason}"


def logged_traceback_of(error: BaseException) -> str:
    """Return an exception's frames and a short line about it, for a log: its own text may be of any size."""
    frames = _guarded("frames", lambda: "".join(traceback.format_tb(raised_at(error))))
    return f"{frames}{shortened(exception_name(type(error)))}: {one_line(message_of(error))}"


def raised_at(error: BaseException) -> TracebackType | None:
    """Return the frames through which an exception has passed."""
    frames: TracebackType | None = _TRACEBACK.__get__(error)
    return frames


def printable(text: str) -> str:
    """Escape lone surrogates and NUL characters, which cannot be stored."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _notes_of(error: BaseException) -> list[object]:
    try:
        # Not getattr: an exception that forwards unknown attributes has no notes and may raise.
        notes = object.__getattribute__(error, "__notes__")
    except AttributeError:
        return []
    return list(notes) if isinstance(notes, list | tuple) else []


def _guarded(what: str, read: Callable[[], str]) -> str:
    try:
        # Joined: `__str__` may return an instance of a subclass of str, whose methods are the user's too.
        return "".join((read(), ""))
    except BaseException as broken:  # noqa: BLE001 - the exception's own code may raise anything
        return f"<its {what} cannot be read: {exception_name(type(broken))}>"
