"""Says once a minute that somebody without the cookie is knocking, whatever he sends."""

import logging
import time
from collections.abc import Callable

from continuum_supervision.transport.limits import REFUSED_PEER_LOG_EVERY_S

logger = logging.getLogger("continuum.transport")


class StrangerLog:
    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._said_at: float | None = None
        self._unsaid = 0

    def refused(self, peer: str, reason: str) -> None:
        """Log a refused peer, or count it if one was logged within the minute."""
        now = self._monotonic()
        if self._said_at is not None and now - self._said_at < REFUSED_PEER_LOG_EVERY_S:
            self._unsaid += 1
            return
        logger.warning(
            "dropped a connection from %s: %s (%d more since the last report)", peer, reason, self._unsaid
        )
        self._said_at = now
        self._unsaid = 0
