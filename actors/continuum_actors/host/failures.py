"""How an exception is written down: type, message, traceback, bounded; or as one line."""

from __future__ import annotations

import traceback

from continuum.engine.retry import exception_name
from continuum_actors.host import limits

# Where an exception passes through on its way, or is made on somebody's behalf.
_NOT_THEIRS = ("continuum.", "continuum_actors.", "asyncio.")


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
        # Cut again: what cannot be stored as it is grows when it is written out.
        printable(message[: limits.ERROR_TEXT_CHARACTERS])[: limits.ERROR_TEXT_CHARACTERS],
        printable(text[-limits.TRACEBACK_CHARACTERS :])[-limits.TRACEBACK_CHARACTERS :],
        names,
    )


def _place_of(error: BaseException) -> str:
    """Return where an exception that says nothing came from, in the code of whoever uses us."""
    places = [
        f"no message, raised in {frame.f_code.co_name} at {frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_globals.get("__name__", "").startswith(_NOT_THEIRS)
    ]
    return places[-1] if places else ""


def refusal_reason(error: BaseException) -> str:
    """Return why a run is blocked whose write the journal refused, as one line."""
    text = f"corrupt: the journal refused its write: {type(error).__name__}: {error}"
    line = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable(line).split())[: limits.REASON_CHARACTERS]


def printable(text: str) -> str:
    """Lone surrogates and NUL characters cannot be stored."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
