"""Log records as JSON: one object a line, with the same names in every process.

Nothing here writes: `JsonFormatter` makes the text of a record, and `CODE_FIELDS` are the attributes that say
whose code logged it. `definitions/run_fields.py` sets them where they are known.
"""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, datetime
from typing import Any

from continuum.failures.exception_text import message_of, traceback_of
from continuum.public_names import PACKAGE, public_in

# The attributes of a record that name the run and the attempt, in the order of the object.
CODE_FIELDS = ("run_id", "workflow", "activity", "attempt", "trace_id", "span_id")

# What every record has; the rest comes from `extra=`.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


@public_in(PACKAGE)
class JsonFormatter(logging.Formatter):
    """Formats a log record as one JSON object on one line; `facts` are what each object of a process has.

    An object has `timestamp` (RFC 3339, UTC), `level`, `logger`, `message`, the facts, what is known of
    `run_id`, `workflow`, `activity`, `attempt`, `trace_id` and `span_id`, then what the caller gave as
    `extra=`, and `exception` with the traceback. What JSON does not have is written as text.
    """

    def __init__(self, **facts: str | int) -> None:
        super().__init__()
        self._facts = facts

    def format(self, record: logging.LogRecord) -> str:
        """Return the object, without a line break."""
        found: dict[str, Any] = {
            "timestamp": _rfc3339(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **self._facts,
        }
        own = record.__dict__
        for name in CODE_FIELDS:
            if own.get(name) is not None:
                found[name] = own[name]
        for name, value in own.items():
            if name not in _STANDARD and name not in found and name not in CODE_FIELDS:
                found[name] = value
        if record.exc_info is not None and record.exc_info[1] is not None:
            found["exception"] = traceback_of(record.exc_info[1])
        elif record.exc_text:
            found["exception"] = record.exc_text
        if record.stack_info:
            found["stack"] = record.stack_info
        # Without the letters beyond ASCII: standard error may be unable to write them.
        return json.dumps({name: _in_json(value) for name, value in found.items()})


def _rfc3339(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}Z"


def _message(record: logging.LogRecord) -> str:
    """Return the text of a record; one whose arguments do not fit must not be lost, nor break the line."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - the caller's values make it
        return f"{record.msg!r:.1000} with arguments that do not fit: {message_of(error)}"


def _in_json(value: object) -> object:
    """Return a value that JSON has: itself, or its text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    try:
        json.dumps(value, allow_nan=False)
    except Exception:  # noqa: BLE001 - the caller's values may do anything
        return _text_of(value)
    return value


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - the caller's values may do anything
        return f"<{type(value).__qualname__}: {message_of(error)}>"
