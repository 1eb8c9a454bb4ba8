"""The watchdog: finds processes whose loop has stopped, by their beats on the liveness board. No Thespian.

The root supervisor watches its processes, the launcher watches the root supervisor. A stopped, blocked or
deadlocked process cannot be asked to end: it is killed, and replaced as after any other death.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from continuum_supervision.process.child import Child
from continuum_supervision.process.limits import (
    BEATS_PER_LIMIT,
    HUNG_START_S,
    LONGEST_BEAT_S,
    WATCHER_LATE_AFTER_S,
)
from continuum_supervision.process.liveness import LivenessBoard

logger = logging.getLogger("continuum.process")


def beat_every(hung_after: float | None) -> float:
    """Return how often a process shows that its loop turns, and how often its watcher looks."""
    return LONGEST_BEAT_S if hung_after is None else min(LONGEST_BEAT_S, hung_after / BEATS_PER_LIMIT)


@dataclass(slots=True)
class Watcher:
    """The eyes of one watching process. Silence counts only from when it has looked without a gap.

    After a pause of the whole machine every beat is old, and the watcher may wake up first.
    """

    looked_at: float
    awake_since: float

    @classmethod
    def awake(cls, now: float) -> "Watcher":
        """Begin to watch."""
        return cls(now, now)

    def look(self, now: float) -> None:
        """Note that the watcher looks now."""
        if now - self.looked_at > WATCHER_LATE_AFTER_S:
            self.awake_since = now
        self.looked_at = now

    def silence(self, beat_at: float) -> float:
        """Return for how many seconds a process has not beaten, as far as this watcher can tell."""
        return self.looked_at - max(beat_at, self.awake_since)


class Watchdog:
    """Kills each process that has been silent for longer than its specification allows."""

    def __init__(self, children: Iterable[Child], board: LivenessBoard) -> None:
        self._watched = [child for child in children if child.spec.hung_after is not None]
        self._board = board
        self._watcher = Watcher.awake(time.monotonic())
        self.look_every = min((beat_every(child.spec.hung_after) for child in self._watched), default=1.0)

    def look(self) -> None:
        """Kill what hangs. A process that was asked to stop has its shutdown budget instead."""
        self._watcher.look(time.monotonic())
        for child in self._watched:
            if not child.alive or child.asked_to_stop:
                continue
            silence = self._watcher.silence(
                max(self._board.read(child.spec.id).beat_at, child.started_at),
            )
            if silence > allowed_silence(child):
                if not child.hung:
                    child.hung = True
                    logger.error(
                        "process %s (pid %d) has not answered for %.1f s: killing it;"
                        " if it runs your code, look for code that never awaits",
                        child.spec.id,
                        child.pid,
                        silence,
                    )
                child.kill()


def allowed_silence(child: Child) -> float:
    """Return how long a process may be silent: a start imports modules, which blocks its loop."""
    limit = child.spec.hung_after
    assert limit is not None
    return limit if child.ready else max(limit, HUNG_START_S)
