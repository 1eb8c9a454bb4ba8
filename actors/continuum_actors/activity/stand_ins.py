"""A stand-in for the activities that were left out: it accepts requests and does nothing."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.definitions.activity_options import ActivityOptions
from continuum.definitions.effects import RunInfo
from continuum.engine.ids import RunId
from continuum.engine.pending import PendingActivity
from continuum_actors.host.messages import ActivityCompleted, ActivityRaised
from continuum_supervision import ActorRef


class NoActivities:
    """Runs no activity: those of the runs that are live here wait until another node owns their runs."""

    busy = False

    def run(self, run: ActorRef, info: RunInfo, pending: PendingActivity, options: ActivityOptions) -> None:
        """Let the attempt wait."""

    def adopt(self, run_id: RunId, seq: int, dispatch: int, run: ActorRef) -> bool:
        """No attempt runs here."""
        return False

    def abandon(self, run_id: RunId, seq: int) -> None:
        """No attempt runs here."""

    def give_up(self, run_id: RunId, seq: int, message: str) -> None:
        """No attempt runs here."""

    def put_by(
        self, run: ActorRef, run_id: RunId, dispatch: int, outcome: ActivityCompleted | ActivityRaised
    ) -> None:
        """No attempt runs here that could have an outcome."""

    def salvage(self, run_id: RunId, results: Sequence[tuple[int, bytes]]) -> None:
        """No attempt runs here that could have a result."""

    def salvage_failure(self, run_id: RunId, dispatch: int, failure: ActivityRaised) -> None:
        """No attempt runs here that could fail."""
