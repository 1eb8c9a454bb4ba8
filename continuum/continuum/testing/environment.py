"""`Environment`: a client with an engine and a clock of its own, for one test.

The engine is the run host's own tree of actors on the in-memory journal; only the clock belongs to
the test. It starts with the first run. An environment is a `Client` and has all its calls; it
waits for results in its own time.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from continuum.client import Client, RunHandle
from continuum.client.argument_checks import RunOrId
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace
from continuum.client.start_options import StartOptions
from continuum.definitions.activity import Activity
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RunId
from continuum.engine.retry import seconds
from continuum.errors import RunNotFound
from continuum.journal.facts import Query, RunRow, RunState
from continuum.journal.memory.journal import MemoryJournal
from continuum.replays.histories import History, read_history
from continuum.testing.engine import Engine
from continuum.testing.loaded_code import LoadedCode
from continuum.testing.mock_activities import MockedActivity, Mocks, mocked
from continuum.testing.public import public
from continuum.testing.replay_after_each_write import ReplayAfterEachWrite, paranoid_by_default
from continuum.testing.replays import replay
from continuum.testing.virtual_clock import BEGINNING, VirtualClock, microseconds_in
from continuum.testing.waiting import StillWaiting, still_waiting, with_blocked

P = ParamSpec("P")
R = TypeVar("R")

# Activities may wait for the outside world; the environment stops waiting for one after this time.
PATIENCE_SECONDS = 10.0
# The most blocked children that one message names.
BLOCKED_CHILDREN = 100


@public
class Environment(Client):
    """Starts runs, lets time pass, and shows the outcome to a test. Made by `env`."""

    def __init__(
        self,
        *,
        workflows: Iterable[Workflow[..., Any]] = (),
        now: datetime = BEGINNING,
        paranoid: bool | None = None,
        seed: int | None = None,
        patience: float = PATIENCE_SECONDS,
        crashes: Iterable[int] = (),
    ) -> None:
        paranoid = paranoid_by_default() if paranoid is None else paranoid
        self._options: dict[str, Any] = {
            "workflows": tuple(workflows),
            "now": now,
            "paranoid": paranoid,
            "patience": patience,
        }
        self._clock = VirtualClock(now)
        self._loaded = LoadedCode(self._options["workflows"])
        self._memory = MemoryJournal(self._clock.microseconds)
        self._mocks: Mocks = {}
        self._patience = patience
        self._replays = ReplayAfterEachWrite(self._memory, self._loaded) if paranoid else None
        # Without a seed the order of activities is fixed too, as if they did not compete.
        chance = random.Random(0 if seed is None else seed)
        self._engine = Engine(
            self._memory,
            self._clock,
            self._mocks,
            random_bytes=chance.randbytes,
            shuffle=None if seed is None else random.Random(seed),
            replays=self._replays,
            crashes=frozenset(crashes),
        )
        super().__init__(self._memory, name="test", randomness=chance.randbytes)

    @property
    def client(self) -> Client:
        """The client of this environment: itself."""
        return self

    @property
    def now(self) -> datetime:
        """The time of this environment."""
        return self._clock.now()

    @property
    def moments(self) -> list[str]:
        """The moments so far at which the engine could have been killed, described for people."""
        return self._engine.moments

    def like_this(self, **changes: Any) -> Environment:
        """Return another environment with the same options except for the given changes."""
        return Environment(**(self._options | changes))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.close()
        finally:
            if error is None:
                self._check()

    async def close(self) -> None:
        """Stop the engine; runs that have not ended stay as they are."""
        await super().close()
        await self._engine.stop()
        await self._memory.close()

    async def _start(
        self, workflow: Any, args: tuple[Any, ...], keywords: dict[str, Any], options: StartOptions
    ) -> RunHandle[Any]:
        """Start a run as a client does, and load its workflow and the workflows that it names."""
        if isinstance(workflow, Workflow):
            self._loaded.load(workflow)
        await self._engine.run(self._loaded.code)
        return await super()._start(workflow, args, keywords, options)

    async def advance(self, duration: timedelta | float) -> None:
        """Let time pass, in seconds or as a timedelta; everything due happens in order, at its own time."""
        target = self._clock.microseconds() + microseconds_in(duration)
        await self.settle()
        while (due := await self._engine.next_due()) is not None and due <= target:
            await self._engine.move_to(due)
            await self.settle()
        await self._engine.move_to(target)
        await self.settle()

    async def settle(self) -> None:
        """Return once nothing can happen before time passes or the test does something."""
        await self._engine.run(self._loaded.code)
        await self._engine.settle(self._patience)
        self._check()

    async def history(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> History:
        """Return a run's journaled events, once everything has settled; see `History`."""
        await self.settle()
        run = await self.get_run(run_id, namespace=namespace)
        history = await read_history(self._memory, RunId(run.id))
        assert history is not None, "the run was there a moment ago"
        return history

    def mock_activity(
        self, activity: Activity[P, R], fn: Callable[P, R | Awaitable[R]]
    ) -> AbstractContextManager[MockedActivity[P, R]]:
        """Call `fn` instead of `activity` in this environment, for the duration of a block."""
        return mocked(self._mocks, activity, fn)

    async def await_run(
        self,
        run_id: RunOrId,
        timeout: float | timedelta | None = None,
        *,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Any:
        """Return a run's result; let time pass until it has ended, at most `timeout`.

        If it has not ended then, `StillWaiting`, a `TimeoutError`, says what the run waits for.
        """
        limit = 0 if timeout is None else microseconds_in(timedelta(seconds=seconds(timeout)))
        await self.settle()
        known = RunId((await self.get_run(run_id, namespace=namespace)).id)
        start = self._clock.microseconds()
        until = start + limit
        while not await self._has_ended(known):
            due = await self._engine.next_due()
            if due is None or due > until:
                passed = None
                if timeout is not None:
                    await self._engine.move_to(until)
                    await self.settle()
                    passed = timedelta(microseconds=self._clock.microseconds() - start)
                if not await self._has_ended(known):
                    raise await self._still_waiting(known, passed)
                break
            await self._engine.move_to(due)
            await self.settle()
        return await super().await_run(known, workflow=workflow)

    async def await_started(self, run_id: RunId, workflow: Workflow[..., Any] | None, started: float) -> Any:
        """Return the result of a run that this environment has started."""
        return await self.await_run(run_id, workflow=workflow)

    async def _has_ended(self, run_id: RunId) -> bool:
        return (await self._latest_run(run_id)).state.terminal

    async def _latest_run(self, run_id: RunId) -> RunRow:
        """Return the row of the latest run of a chain."""
        row = await self._memory.get_run(run_id)
        while row is not None and row.continued_to is not None:
            row = await self._memory.get_run(row.continued_to)
        if row is None:
            raise RunNotFound(run_id)
        return row

    async def _still_waiting(self, run_id: RunId, passed: timedelta | None) -> StillWaiting:
        row = await self._latest_run(run_id)
        name = row.workflow
        if row.state is RunState.BLOCKED:
            return StillWaiting(run_id, f"of {name} is blocked: {row.reason}")
        if not self._loaded.has(name):
            return StillWaiting(run_id, f"waits for a workflow {name!r}; load it with env(workflows=[...])")
        history = await read_history(self._memory, row.id)
        assert history is not None, "its row was there a moment ago"
        replayed = replay(self._loaded.code.workflow_for(name, row.version), history)
        where = [("parent", "eq", row.id), ("state", "eq", RunState.BLOCKED)]
        blocked = await self._memory.query(Query(None, where, ("id", False), BLOCKED_CHILDREN, None))
        return still_waiting(run_id, name, with_blocked(replayed.waits_for, blocked), passed)

    def _check(self) -> None:
        """Raise the mismatches that the paranoid mode has found, once."""
        if self._replays is not None:
            self._replays.report()


@public
def env(
    *,
    workflows: Iterable[Workflow[..., Any]] = (),
    now: datetime = BEGINNING,
    paranoid: bool | None = None,
    seed: int | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Environment:
    """Return an environment; `async with env() as environment` closes it.

    `workflows` are loaded in addition to those that the test starts and the workflows that these name. `now`
    is the time at first. `paranoid` replays every run after each of its writes; its default is set by
    CONTINUUM_PARANOID or the ini option continuum_paranoid. A `seed` shuffles the order in which activities
    begin and complete. The environment waits for activities at most `patience` real seconds.
    """
    return Environment(workflows=workflows, now=now, paranoid=paranoid, seed=seed, patience=patience)
