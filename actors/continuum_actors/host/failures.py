"""Exceptions as bounded text: type, message and traceback, or one line."""

from __future__ import annotations

import traceback

from continuum.engine.retry import exception_name
from continuum_actors.host import limits

# Code that an exception only passes through, or that makes one on behalf of the user's code.
_NOT_USER_CODE = ("continuum.", "continuum_actors.", "asyncio.")


def describe_error(error: BaseException) -> tuple[str, str, str, frozenset[str]]:
    """Return an exception's type, message and traceback, and the names of all its classes."""
    kind = type(error)
    try:
        message = "\n".join([str(error), *map(str, getattr(error, "__notes__", None) or ())])
    except Exception as broken:  # noqa: BLE001 - a broken __str__ must not lose the failure it describes
        message = f"<its message cannot be read: {type(broken).__name__}>"
    message = message or _place_of(error)
    text = "".join(traceback.format_exception(kind, error, error.__traceback__))
    names = frozenset(
        printable(exception_name(base)) for base in kind.__mro__ if issubclass(base, BaseException)
    )
    return (
        printable(exception_name(kind)),
        # Cut again: characters that cannot be stored grow when they are escaped.
        printable(message[: limits.ERROR_TEXT_CHARACTERS])[: limits.ERROR_TEXT_CHARACTERS],
        printable(text[-limits.TRACEBACK_CHARACTERS :])[-limits.TRACEBACK_CHARACTERS :],
        names,
    )


def _place_of(error: BaseException) -> str:
    """Return where in the user's code an exception without a message was raised."""
    places = [
        f"no message, raised in {frame.f_code.co_name} at {frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_globals.get("__name__", "").startswith(_NOT_USER_CODE)
    ]
    return places[-1] if places else ""


def refusal_reason(error: BaseException) -> str:
    """Return one line that says why the journal refused a run's write, which blocks the run."""
    text = f"corrupt: the journal refused its write: {type(error).__name__}: {error}"
    line = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable(line).split())[: limits.REASON_CHARACTERS]


def printable(text: str) -> str:
    """Escape lone surrogates and NUL characters, which cannot be stored."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
