"""The actors that run activities, which here run the mock of an activity if a test has set one.

They replace the real actors in the tree of an environment.
"""

from __future__ import annotations

from continuum.definitions.activity_options import ActivityOptions
from continuum.definitions.effects import RunInfo
from continuum.engine.pending import PendingActivity
from continuum.journal.port import ClaimedTask
from continuum.testing.mock_activities import Substitutes
from continuum_actors.activity.activity_dispatcher import ActivityDispatcher
from continuum_actors.activity.attempt import Attempt
from continuum_actors.activity.claimed_tasks import ClaimedTasks
from continuum_actors.activity.local_activities import LocalActivities
from continuum_actors.host.host import Host
from continuum_supervision import ActorRef, Clock


class MockedLocalActivities(LocalActivities):
    """The local activities of an environment."""

    def __init__(self, host: Host, substitutes: Substitutes) -> None:
        super().__init__(host)
        self._substitutes = substitutes

    def attempts(self) -> list[Attempt]:
        """Return the attempts that are running."""
        return [attempt for attempt, _ in self._running.values()]

    def run(self, run: ActorRef, info: RunInfo, pending: PendingActivity, options: ActivityOptions) -> None:
        """Run an activity, or the mock of the test."""
        definition = pending.definition
        pending.definition = self._substitutes.definition_of(definition)
        try:
            super().run(run, info, pending, options)
        finally:
            pending.definition = definition


class MockedTasks(ClaimedTasks):
    """The claimed tasks of an environment."""

    def __init__(
        self,
        host: Host,
        clock: Clock,
        substitutes: Substitutes,
    ) -> None:
        super().__init__(host, clock, isolated=False)
        self._substitutes = substitutes

    def attempts(self) -> list[Attempt]:
        """Return the attempts that are running."""
        return [*self._running.values()]

    @property
    def storing(self) -> bool:
        """Whether results of claimed tasks are on their way to the journal."""
        return bool(self._results)

    def _attempt_at(self, task: ClaimedTask) -> Attempt:
        attempt = super()._attempt_at(task)
        attempt.definition = self._substitutes.definition_of(attempt.definition)
        return attempt


class MockedDispatcher(ActivityDispatcher):
    """The activity dispatcher of an environment."""

    def __init__(self, host: Host, substitutes: Substitutes) -> None:
        super().__init__(host)
        self._substitutes = substitutes

    def begin(self) -> MockedTasks:
        """Begin without tasks in hand."""
        return MockedTasks(self._host, self.clock, self._substitutes)

    @property
    def claimed(self) -> MockedTasks:
        """The tasks in hand."""
        assert isinstance(self._claimed, MockedTasks)
        return self._claimed
