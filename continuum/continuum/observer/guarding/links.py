"""`Links`: links that sign a visitor in, once. Only the process that makes a link takes it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from continuum.observer.limits import LINK_SECONDS
from continuum.observer.visitor import Visitor


class Links:
    """Makes links, and takes each once; `clock` is in seconds and only grows."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made: dict[str, tuple[Visitor, float]] = {}

    def link(self, visitor: Visitor) -> str:
        """Return the path of a new link."""
        key = secrets.token_urlsafe(24)
        self._made[key] = visitor, self._clock() + LINK_SECONDS
        return f"/link?key={key}"

    def take(self, key: str) -> Visitor | None:
        """Return the visitor of a link; None if it was taken before, is too old or was never made."""
        visitor, until = self._made.pop(key, (None, 0.0))
        return visitor if self._clock() < until else None
