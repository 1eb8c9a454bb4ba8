"""SIGTERM and SIGINT of a launcher: they end a start at once, and a node that is ready in order."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class StopSignals:
    """Sets `stop` on the first signal; before the node is ready, also raises `KeyboardInterrupt`."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._ready = False

    def install(self) -> None:
        """Handle the signals of this process from now on."""
        signal.signal(signal.SIGTERM, self._received)
        signal.signal(signal.SIGINT, self._received)

    def node_is_ready(self) -> None:
        """From now on a signal only sets `stop`."""
        self._ready = True

    def _received(self, number: int, frame: FrameType | None) -> None:
        first = not self.stop.is_set()
        self.stop.set()
        # End the start, wherever it waits; a second signal must not disturb the clean-up.
        if first and not self._ready:
            raise KeyboardInterrupt
