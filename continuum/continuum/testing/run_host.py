"""The run host of an environment: its actors run, settle, and stop or are killed."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from typing import Any, cast

from continuum.engine.ids import NodeId
from continuum.journal.port import Journal, NodeFacts, Versions, Workers
from continuum.settings.settings import Settings
from continuum.testing.idle_loop import may_wake, wait_until_idle
from continuum.testing.mock_activities import MockedActivity, Substitutes
from continuum.testing.mocked_actors import MockedDispatcher, MockedLocalActivities
from continuum.versions.loaded_code import Code
from continuum_actors.activity.attempt import Attempt
from continuum_actors.host.host import Host
from continuum_actors.run.version_registry import version_row
from continuum_actors.tree import MAX_RESTARTS, MAX_SECONDS, run_host_children
from continuum_supervision import ChildSpec, Clock, Crash, Strategy, Supervisor

# Longer than any test: only the timers of workflows fire because time has passed.
NEVER_SECONDS = 1e9
# How often to check activities that wait for the outside world, in real time.
LOOK_SECONDS = 0.002


class RunHost:
    """The actors of a run host, on a given journal and a given or the system's clock."""

    def __init__(
        self,
        journal: Journal,
        code: Code,
        mocks: Mapping[str, MockedActivity[..., Any]],
        *,
        settings: Settings,
        clock: Clock | None = None,
        shuffle: random.Random | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        # Set once its process counts as dead. Its actors are being removed, and their failures do not count.
        self.killed = False
        self.host = Host(journal, NodeId("test"), code, settings=settings, random_bytes=random_bytes)
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
            strategy=Strategy.ONE_FOR_ONE,
            max_restarts=MAX_RESTARTS,
            max_seconds=MAX_SECONDS,
            clock=clock,
        )

    def attempts(self) -> list[Attempt]:
        """Return the attempts that are running."""
        return [*self._local().attempts(), *self._dispatcher().claimed.attempts()]

    def _local(self) -> MockedLocalActivities:
        return cast("MockedLocalActivities", self.host.activities)

    def _dispatcher(self) -> MockedDispatcher:
        return cast("MockedDispatcher", self.host.tasks)

    async def start(self) -> None:
        """Start every actor."""
        await self.supervisor.__aenter__()

    async def report(self, journal: Workers) -> None:
        """Report the node as its heartbeater does: from then on starts and mail are announced to it."""
        host, pid = self.host, os.getpid()
        facts = NodeFacts(host.node, pid, "embedded", "up", [("run_host", pid)], list(host.code.workflows))
        await journal.renew([host.registered_worker().id], host.settings.lease_ttl, facts)

    async def load(self, code: Code, journal: Versions) -> None:
        """Register other code in the journal, and execute it from now on."""
        if code is self.host.code:
            return
        await journal.register_versions([version_row(workflow) for workflow in code.all_workflows])
        code.pinned_are_stored()
        self.host.code = code
        self.host.dispatcher.look()

    async def stop(self) -> None:
        """Stop every actor in order; raise the error that ended the supervisor, if any."""
        await self.supervisor.__aexit__(None, None, None)

    async def settle(self, patience: float) -> None:
        """Return once nothing can happen before time passes or the test does something.

        Running activities may wait for the outside world: wait for them at most `patience` real seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while True:
            await wait_until_idle(patience)
            if self.killed:
                return
            self.check()
            running = self.attempts()
            if not running and not self._dispatcher().claimed.storing:
                return
            left = deadline - loop.time()
            in_threads = any(not attempt.definition.is_async for attempt in running)
            if left <= 0 or not (in_threads or may_wake(left)):
                return
            await asyncio.sleep(min(left, LOOK_SECONDS))

    def check(self) -> None:
        """Raise the error that ended the supervisor, if it has ended."""
        ended = self.supervisor.ref.exit_reason
        if ended is not None:
            raise RuntimeError("the engine of this environment has stopped; its log says why") from (
                ended.exception if isinstance(ended, Crash) else None
            )


def timeless_settings() -> Settings:
    """Return settings with which only workflows have timers."""
    return Settings(lease_ttl=NEVER_SECONDS, poll=NEVER_SECONDS, longest_nap=NEVER_SECONDS)
