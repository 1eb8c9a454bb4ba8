"""How a failed `side_effect` is journaled, and raised again from the journal.

Code may catch what its impure read raised and go another way, so the failure is part
of the history. The class cannot be rebuilt in another process: live and in replay the
code meets the same `ActivityError`, or the same mistake of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from continuum.engine.retry import exception_name
from continuum.errors import ActivityError, DeterminismError, DurableTermError

# Enough to tell what went wrong; a response body quoted whole is not.
MESSAGE_CHARACTERS = 4_000

# The second names are those that histories of the first engine hold.
_DETERMINISM = frozenset({exception_name(DeterminismError), "continuum.errors.DeterminismError"})
_DURABLE_TERM = frozenset({exception_name(DurableTermError), "continuum.errors.DurableTermError"})


def attempt(produce: Callable[[], Any]) -> tuple[Any, ...]:
    """Return what to journal of a read: its value, or None with the exception's type and text."""
    try:
        return (produce(),)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is journaled
        # The journal takes UTF-8 only; an exception may quote anything.
        text = str(error)[:MESSAGE_CHARACTERS].encode("utf-8", "backslashreplace").decode()
        return None, exception_name(type(error)), text


def raised(type: str, message: str) -> Exception:
    """Return what the code is told about a journaled failure."""
    if type in _DETERMINISM:
        return DeterminismError(message)
    if type in _DURABLE_TERM:
        path, _, reason = message.partition(": ")
        return DurableTermError(path, reason)
    return ActivityError("side_effect", type, message, "", 1)
