"""Functions and classes to scan; the workflow has one allowed error and one warning."""

from __future__ import annotations

import time
import warnings
from typing import Any

import continuum
from continuum import DeterminismWarning


def read() -> float:
    return time.time()


class Clock:
    """Reads the clock."""

    def read(self) -> float:
        return read()


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeterminismWarning)

    @continuum.workflow(name="scanner.by_hand")
    async def by_hand(handler: Any) -> tuple[object, float]:
        return handler.handle(1), time.time()  # continuum: allow CT101 - the test expects the other finding
