"""Exceptions as bounded text: type, message and traceback, or one line."""

from __future__ import annotations

import traceback

from continuum.failures.exception_text import (
    exception_name,
    exception_names,
    message_of,
    message_with_notes,
    printable,
    raised_at,
    traceback_of,
)
from continuum_actors.host import limits

# Code that an exception only passes through, or that makes one on behalf of the user's code.
_NOT_USER_CODE = ("continuum.", "continuum_actors.", "asyncio.")


def describe_error(error: BaseException) -> tuple[str, str, str, frozenset[str]]:
    """Return an exception's type, message and traceback, and the names of all its classes.

    It never raises, whatever the exception is: its run would wait for ever.
    """
    message = message_with_notes(error) or _place_of(error)
    return (
        printable(exception_name(type(error))),
        # Cut again: characters that cannot be stored grow when they are escaped.
        printable(message[: limits.ERROR_TEXT_CHARACTERS])[: limits.ERROR_TEXT_CHARACTERS],
        printable(traceback_of(error)[-limits.TRACEBACK_CHARACTERS :])[-limits.TRACEBACK_CHARACTERS :],
        exception_names(error),
    )


def _place_of(error: BaseException) -> str:
    """Return where in the user's code an exception without a message was raised."""
    places = [
        f"no message, raised in {frame.f_code.co_name} at {frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(raised_at(error))
        if not str(frame.f_globals.get("__name__", "")).startswith(_NOT_USER_CODE)
    ]
    return places[-1] if places else ""


def refusal_reason(error: BaseException) -> str:
    """Return one line that says why the journal refused a run's write, which blocks the run."""
    text = f"corrupt: the journal refused its write: {type(error).__name__}: {message_of(error)}"
    line = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable(line).split())[: limits.REASON_CHARACTERS]
