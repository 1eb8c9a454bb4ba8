"""How an exception is written down: type, message, traceback, bounded."""

from __future__ import annotations

import traceback

from continuum.engine.retry import exception_name
from continuum_actors import limits


def describe_error(error: BaseException) -> tuple[str, str, str, frozenset[str]]:
    """Return an exception's type, message and traceback, and the names of all its classes."""
    kind = type(error)
    try:
        message = str(error)
    except Exception as broken:  # noqa: BLE001 - a broken __str__ must not lose the failure it describes
        message = f"<its message cannot be read: {type(broken).__name__}>"
    notes = getattr(error, "__notes__", None)
    if notes:
        message = "\n".join([message, *map(str, notes)])
    text = "".join(traceback.format_exception(kind, error, error.__traceback__))
    names = frozenset(exception_name(base) for base in kind.__mro__ if issubclass(base, BaseException))
    return (
        exception_name(kind),
        _printable(message[: limits.ERROR_TEXT_CHARACTERS]),
        _printable(text[-limits.TRACEBACK_CHARACTERS :]),
        names,
    )


def _printable(text: str) -> str:
    """Lone surrogates cannot be stored."""
    return text.encode("utf-8", "backslashreplace").decode()
