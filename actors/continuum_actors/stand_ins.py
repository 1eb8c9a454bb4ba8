"""What stands where a child was left out: others may speak to it, and nothing comes of it."""

from __future__ import annotations

from continuum_actors.activity.activity_dispatcher import ActivityDispatcher
from continuum_actors.host.messages import TakeSnapshot
from continuum_actors.run.dispatcher import Dispatcher
from continuum_actors.run.snapshotter import Snapshotter


class NoDispatcher(Dispatcher):
    """Claims no run: this process serves queues, and its clients."""

    def init(self) -> None:
        self._host.dispatcher = self


class OwnActivities(ActivityDispatcher):
    """Runs the activities of the runs that are live here, and claims none from queues."""

    def look_for_work(self) -> None:
        """There may be tasks; they are for others."""


class NoSnapshotter(Snapshotter):
    """Takes no snapshot: every run is resumed from its whole history."""

    def handle_cast(self, message: TakeSnapshot) -> None:
        """A run has grown, which is all right."""
