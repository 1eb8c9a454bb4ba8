"""Ctrl-C and SIGTERM: the demo ends at its next step and leaves nothing behind.

An exception raised in a signal handler may strike anywhere, even inside the event loop or a clean-up.
So the first signal only sets a flag, which the demo checks between steps and while the orders run. A
second signal means that the user does not want to wait for that.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """A signal ends the demo."""


class Interrupts:
    """Handles signals until the end of the block."""

    def __init__(self) -> None:
        self._interrupted = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._received) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise `Interrupted` if a signal has arrived."""
        if self._interrupted:
            raise Interrupted

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True
