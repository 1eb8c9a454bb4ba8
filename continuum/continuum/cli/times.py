"""Times on the command line: how long ago, or when."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from continuum.quoting import quoted

_DURATION = re.compile(r"(\d{1,9})([smhdw])")
# Longer than anything runs; the server's intervals hold it.
MOST_SECONDS = 100 * 365 * 24 * 3600
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Seconds(click.FloatRange):
    """A number of seconds; every comparison with `nan` is false, so a check with it would find nothing."""

    def __init__(self) -> None:
        super().__init__(min=0, max=MOST_SECONDS)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read what was typed."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


def time_since(text: str, now: datetime) -> datetime:
    """Read a duration before now (`90s`, `30m`, `12h`, `2d`, `1w`) or a time in ISO 8601, else in UTC."""
    duration = _DURATION.fullmatch(text)
    try:
        if duration is not None:
            return now - timedelta(**{_UNITS[duration[2]]: int(duration[1])})
        read = datetime.fromisoformat(text)
        return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{quoted(text)} is neither a duration like 90s, 30m, 12h, 2d or 1w nor a time like "
            "2026-01-31T09:00:00Z"
        ) from None


def read_time(_context: click.Context, _parameter: click.Parameter, given: str | None) -> datetime | None:
    """Read the value of an option."""
    return None if given is None else time_since(given, datetime.now(UTC))
