"""How a failed `side_effect` is journaled, and raised again from the journal.

Code may catch the exception of a `side_effect` and take another path, so the failure is
part of the history. Its class cannot be rebuilt in another process. So the code gets the
same `ActivityError` in the live run and in a replay; a `DeterminismError` or
`DurableTermError` stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from continuum.engine.retry import current_name
from continuum.errors import ActivityError, DeterminismError, DurableTermError
from continuum.failures.exception_text import exception_name, message_of, printable

# Enough to say what went wrong, but not a whole response body.
MESSAGE_CHARACTERS = 4_000


def attempt(produce: Callable[[], Any]) -> tuple[Any, ...]:
    """Return what to journal: the value of `produce`, or None with the type and text of its exception."""
    try:
        return (produce(),)
    except Exception as error:  # noqa: BLE001 - every exception is journaled
        # The journal takes UTF-8 only; an exception may quote anything.
        text = printable(message_of(error)[:MESSAGE_CHARACTERS])
        return None, printable(exception_name(type(error))), text


def raised(type: str, message: str) -> Exception:
    """Return the exception that the code gets for a journaled failure."""
    current = current_name(type)
    if current == exception_name(DeterminismError):
        return DeterminismError(message)
    if current == exception_name(DurableTermError):
        path, _, reason = message.partition(": ")
        return DurableTermError(path, reason)
    return ActivityError("side_effect", type, message, "", 1)
