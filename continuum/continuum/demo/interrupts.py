"""Ctrl-C and SIGTERM: the demo ends at its next step and leaves nothing behind.

An exception raised from a signal handler may strike anywhere, in the middle of a loop's own
bookkeeping or of a clean-up. So the first signal is only noted, and looked for between steps
and while the orders run; who sends a second one does not want to wait for that.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """Somebody asked for the end."""


class Interrupts:
    """Notes signals until the end of the block."""

    def __init__(self) -> None:
        self._asked = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise `Interrupted` when a signal has come."""
        if self._asked:
            raise Interrupted

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
