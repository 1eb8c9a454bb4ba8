"""One life of a run host's tree on the journal of an environment: it runs, settles, and stops or dies."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from typing import Any, cast

from continuum.engine.ids import NodeId
from continuum.journal.port import Journal, Versions
from continuum.settings import Settings
from continuum.testing.idle_loop import may_wake, quiet
from continuum.testing.mock_activities import MockedActivity, Substitutes
from continuum.testing.mocked_actors import MockedDispatcher, MockedLocalActivities
from continuum.versions.loaded_code import Code
from continuum_actors.activity.attempt import Attempt
from continuum_actors.host.host import Host
from continuum_actors.run.version_registry import version_row
from continuum_actors.tree import MAX_RESTARTS, MAX_SECONDS, run_host_children
from continuum_supervision import ChildSpec, Clock, Crash, Strategy, Supervisor

# Nothing here happens because time has passed but what a workflow asked for.
NEVER_SECONDS = 1e9
# Activities that wait for the world are looked at this often, in real time.
LOOK_SECONDS = 0.002


class Tree:
    """A run host's actors, on a clock and a journal of their own or on the world's."""

    def __init__(
        self,
        journal: Journal,
        code: Code,
        mocks: Mapping[str, MockedActivity[..., Any]],
        *,
        settings: Settings,
        clock: Clock | None = None,
        shuffle: random.Random | None = None,
        draw: Callable[[int], bytes] = os.urandom,
    ) -> None:
        # Set once its process is as good as dead: it is being cleared away, and says nothing any more.
        self.killed = False
        self.host = Host(journal, NodeId("test"), code, settings=settings, random_bytes=draw)
        if clock is not None:
            self.host.clock = clock
        substitutes = Substitutes(mocks, shuffle)
        replaced = {
            "local_activities": ChildSpec(
                "local_activities", lambda: MockedLocalActivities(self.host, substitutes)
            ),
            "activity_dispatcher": ChildSpec(
                "activity_dispatcher", lambda: MockedDispatcher(self.host, substitutes)
            ),
        }
        children = [replaced.get(spec.id, spec) for spec in run_host_children(self.host)]
        self.supervisor = Supervisor(
            children,
            strategy=Strategy.REST_FOR_ONE,
            max_restarts=MAX_RESTARTS,
            max_seconds=MAX_SECONDS,
            clock=clock,
        )

    def attempts(self) -> list[Attempt]:
        """Return the attempts that are running."""
        return [*self._local().attempts(), *self._dispatcher().attempts()]

    def _local(self) -> MockedLocalActivities:
        return cast("MockedLocalActivities", self.host.activities)

    def _dispatcher(self) -> MockedDispatcher:
        return cast("MockedDispatcher", self.host.tasks)

    async def start(self) -> None:
        """Bring every actor to life."""
        await self.supervisor.__aenter__()

    async def load(self, code: Code, journal: Versions) -> None:
        """Execute other code from now on, and let the journal know of it."""
        if code is self.host.code:
            return
        await journal.register_versions([version_row(workflow) for workflow in code.all_workflows])
        code.pinned_are_stored()
        self.host.code = code
        self.host.dispatcher.look()

    async def stop(self) -> None:
        """End every actor in order; raises what they have given up for."""
        await self.supervisor.__aexit__(None, None, None)

    async def settle(self, patience: float) -> None:
        """Return once nothing can happen here unless time passes or somebody outside does something.

        Activities wait for the world: for those that are under way at most `patience` real seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while True:
            await quiet(patience)
            if self.killed:
                return
            self.check()
            under_way = self.attempts()
            if not under_way and not self._dispatcher().storing:
                return
            left = deadline - loop.time()
            in_threads = any(not attempt.definition.is_async for attempt in under_way)
            if left <= 0 or not (in_threads or may_wake(left)):
                return
            await asyncio.sleep(min(left, LOOK_SECONDS))

    def check(self) -> None:
        """Raise what the actors have given up for, if they have."""
        ended = self.supervisor.ref.exit_reason
        if ended is not None:
            raise RuntimeError("the engine of this environment has stopped; its log says why") from (
                ended.exception if isinstance(ended, Crash) else None
            )


def patient_settings() -> Settings:
    """Return settings with which only workflows have anything to do with time."""
    return Settings(lease_ttl=NEVER_SECONDS, poll=NEVER_SECONDS, longest_nap=NEVER_SECONDS)
