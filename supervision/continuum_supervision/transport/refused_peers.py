"""A log of connections that were refused, one line a minute whatever a peer sends."""

import logging
import time
from collections.abc import Callable

from continuum_supervision.transport.limits import REFUSED_PEER_LOG_EVERY_S

logger = logging.getLogger("continuum.transport")


class RefusedPeerLog:
    """Logs the first refused peer of each minute and counts the others."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged_at: float | None = None
        self._not_logged = 0

    def refused(self, peer: str, reason: str) -> None:
        """Log a refused peer, or count it if one was logged within the last minute."""
        now = self._monotonic()
        if self._logged_at is not None and now - self._logged_at < REFUSED_PEER_LOG_EVERY_S:
            self._not_logged += 1
            return
        logger.warning(
            "dropped a connection from %s: %s (%d more since the last report)", peer, reason, self._not_logged
        )
        self._logged_at = now
        self._not_logged = 0
