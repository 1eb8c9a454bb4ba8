"""Times on the command line: how long ago, or when."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import click

from continuum.errors import InvalidOption
from continuum.operations.moments import time_since

# Longer than anything runs; the server's intervals hold it.
MOST_SECONDS = 100 * 365 * 24 * 3600


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


def read_time(_context: click.Context, _parameter: click.Parameter, given: str | None) -> datetime | None:
    """Read the value of an option."""
    try:
        return None if given is None else time_since(given, datetime.now(UTC))
    except InvalidOption as error:
        raise click.BadParameter(str(error)) from None
