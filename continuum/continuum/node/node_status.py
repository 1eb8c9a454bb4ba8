"""How a node is, as its launcher knows it: the launcher outlives the processes that report to it.

The control process reports each renewal of the leases, and what the processes of the node have counted.
Reports come in the main thread; requests ask in another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic

from continuum.telemetry.tallies import Sums, Tally
from continuum_actors.host.limits import renewal_pause
from continuum_actors.node.launcher_reports import Counted, Renewed

# After so many pauses between renewals without one, the node is not well, however long its leases are.
MISSED_RENEWALS = 6


class NodeStatus:
    """The state of a node and the sums of what it has counted since its launcher started."""

    def __init__(self, lease_ttl: float, now: Callable[[], float] = monotonic) -> None:
        self._patience = min(lease_ttl, MISSED_RENEWALS * renewal_pause(lease_ttl))
        self._now = now
        self._lock = threading.Lock()
        self._state = "starting"
        self._ready = False
        self._renewed_at: float | None = None
        self._sums = Sums()

    def take(self, report: Renewed | Counted) -> None:
        """Take a report of the control process."""
        with self._lock:
            match report:
                case Counted(counted):
                    self._sums.add(counted)
                case Renewed(state):
                    self._renewed_at = self._now()
                    if self._state != "stopping":
                        self._state = state

    def ready(self) -> None:
        """Every process of the node is ready."""
        with self._lock:
            self._ready = True

    def restarts(self) -> None:
        """All processes of the node start again."""
        with self._lock:
            self._ready, self._renewed_at, self._state = False, None, "starting"

    def stopping(self) -> None:
        """The node drains and stops; nothing is reported from now on."""
        with self._lock:
            self._state = "stopping"

    def unhealthy(self) -> str | None:
        """Return why the node is not well, in one line; None if it renews its leases, or stops in order."""
        with self._lock:
            if self._state == "stopping":
                return None
            if self._renewed_at is None:
                return "the node starts: it has not registered its leases yet"
            silence = self._now() - self._renewed_at
            if silence > self._patience:
                return (
                    f"the leases were renewed {silence:.0f} s ago, and not within {self._patience:g} s: the "
                    "database does not answer, or the control process hangs; the log of the node says which"
                )
            return None

    def not_claiming(self) -> str | None:
        """Return why the node takes no new work, in one line; None if it does."""
        reason = self.unhealthy()
        with self._lock:
            if reason is not None:
                return reason
            if self._state in ("draining", "stopping"):
                return "the node drains: it ends what it runs and takes nothing new"
            return None if self._ready else "the node starts: not all of its processes are ready"

    def counted(self) -> Sequence[Tally]:
        """Return all that the processes of the node have counted."""
        with self._lock:
            return self._sums.all()
