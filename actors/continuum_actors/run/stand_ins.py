"""Stand-ins for actors around runs that were left out: they accept requests and do nothing."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.ids import RunId
from continuum.journal.announced_run import FirstWrite
from continuum.journal.port import ClaimedRun, InboxRow, StoredHistory, Topic
from continuum_supervision import ActorRef


class NoRuns:
    """Holds no run: the dispatcher is left out as well."""

    def start_run(
        self,
        claim: ClaimedRun,
        history: StoredHistory,
        mail: Sequence[InboxRow],
        first: FirstWrite | None = None,
    ) -> None:
        """No run is claimed here."""

    def whereis(self, run_id: str) -> ActorRef | None:
        """No run is live here."""
        return None

    def which_children(self) -> Sequence[ActorRef]:
        """No run is live here."""
        return ()

    def live_run_ids(self) -> list[RunId]:
        """No run is live here."""
        return []

    def room(self) -> int:
        """There is no room for runs."""
        return 0

    def activated(self, run: ActorRef) -> None:
        """No run is live here."""

    def suspended(self, run: ActorRef) -> None:
        """No run is live here."""

    def release_all(self) -> None:
        """No run is live here."""


class NoWheel:
    """Sets no alarm: timers of the runs that are live here do not fire."""

    def arm(self, run: ActorRef, due: int | None) -> None:
        """Let the time pass."""


class NoRouter:
    """Fetches no mail: signals and results reach no run that is live here."""

    fetch_number = 0

    def look(self, run_ids: Sequence[RunId] | None) -> None:
        """Leave the mail in the inbox."""

    def notified(self, topic: Topic, ids: Sequence[str]) -> None:
        """Pay no attention."""
