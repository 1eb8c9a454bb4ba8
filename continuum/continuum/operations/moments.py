"""Times as people write them: how long ago, or when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from continuum.errors import InvalidOption
from continuum.quoting import quoted

_DURATION = re.compile(r"(\d{1,9})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def time_since(text: str, now: datetime) -> datetime:
    """Read a duration before now (`90s`, `30m`, `12h`, `2d`, `1w`) or a time in ISO 8601, else in UTC.

    `InvalidOption` if it is neither.
    """
    duration = _DURATION.fullmatch(text)
    try:
        if duration is not None:
            return now - timedelta(**{_UNITS[duration[2]]: int(duration[1])})
        read = datetime.fromisoformat(text)
        return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidOption(
            f"{quoted(text)} is neither a duration like 90s, 30m, 12h, 2d or 1w nor a time like "
            "2026-01-31T09:00:00Z"
        ) from None
