"""A loop that waits for nothing: when it has nothing to do, its time jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class JumpingSelector(selectors.DefaultSelector):
    """Adds up what it was asked to wait, instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.jumped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready."""
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen"
            self.jumped += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose time is that of its timers; 0 at its beginning."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the seconds that would have passed."""
        return self._jumping.jumped


def run_jumping(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in such a loop."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(main())
