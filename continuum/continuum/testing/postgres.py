"""`PostgresEnvironment`: an environment on a real Postgres, in a schema of its own and in real time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, Self, TypeVar

from continuum.client import Client, RunHandle
from continuum.client.argument_checks import RunOrId
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace
from continuum.client.start_options import StartOptions
from continuum.definitions.activity import Activity
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RunId
from continuum.errors import ContinuumError, NotReady
from continuum.journal.facts import Query, RunState
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.schema import drop_schema, migrate_schema
from continuum.replays.histories import History, read_history
from continuum.settings.settings import Settings
from continuum.testing.loaded_code import LoadedCode
from continuum.testing.mock_activities import MockedActivity, Mocks, mocked
from continuum.testing.public import public
from continuum.testing.run_host import RunHost

P = ParamSpec("P")
R = TypeVar("R")

# Longer than any test, because an environment does not renew the lease of its worker.
LEASE_SECONDS = 3_600.0
# After this time a test fails instead of hanging.
RESULT_SECONDS = 30.0
LOOK_SECONDS = 0.005


@public
class PostgresEnvironment(Client):
    """Starts runs on Postgres and shows the outcome to a test. Made by `postgres_env`."""

    def __init__(self, dsn: str, workflows: Iterable[Workflow[..., Any]]) -> None:
        self._dsn = dsn
        self._schema = f"continuum_test_{os.urandom(6).hex()}"
        self._loaded = LoadedCode(workflows)
        self._mocks: Mocks = {}
        self._tree: RunHost | None = None
        self._stored = PostgresJournal(dsn, schema=self._schema)
        super().__init__(self._stored, name="test")

    @property
    def client(self) -> Client:
        """The client of this environment: itself."""
        return self

    async def __aenter__(self) -> Self:
        await migrate_schema(self._dsn, self._schema)
        await self._stored.open()
        self._tree = RunHost(
            self._stored, self._loaded.code, self._mocks, settings=Settings(lease_ttl=LEASE_SECONDS)
        )
        await self._tree.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop the engine and drop the schema."""
        tree, self._tree = self._tree, None
        if tree is None:
            return
        await super().close()
        try:
            await tree.stop()
        finally:
            await self._stored.close()
            await drop_schema(self._dsn, self._schema)

    async def _start(
        self, workflow: Any, args: tuple[Any, ...], keywords: dict[str, Any], options: StartOptions
    ) -> RunHandle[Any]:
        """Start a run as a client does, and load its workflow and the workflows that it names."""
        tree = self._running()
        if isinstance(workflow, Workflow):
            self._loaded.load(workflow)
            await tree.load(self._loaded.code, self._stored)
        return await super()._start(workflow, args, keywords, options)

    async def advance(self, duration: timedelta | float) -> NoReturn:
        """Refuse, because the server sets the time."""
        raise ContinuumError(
            f"the time of Postgres cannot be moved by {duration}; use continuum_env for what waits long, "
            "or wait in real time with `await run.result(timeout=...)`"
        )

    async def settle(self) -> None:
        """Return once no run is running and no inbox entry waits, in real time."""
        tree = self._running()
        async with asyncio.timeout(RESULT_SECONDS):
            before: object = ...
            # A run may consume an inbox entry between the two reads of one look. That changes the run, and
            # the next look differs from this one.
            while (latest := await self._latest_if_idle(tree)) is ... or latest != before:
                tree.check()
                before = latest
                await asyncio.sleep(LOOK_SECONDS)

    async def history(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> History:
        """Return a run's journaled events so far; see `History`."""
        run = await self.get_run(run_id, namespace=namespace)
        history = await read_history(self._stored, RunId(run.id))
        assert history is not None, "the run was there a moment ago"
        return history

    def mock_activity(
        self, activity: Activity[P, R], fn: Callable[P, R | Awaitable[R]]
    ) -> AbstractContextManager[MockedActivity[P, R]]:
        """Call `fn` instead of `activity` in this environment, for the duration of a block."""
        return mocked(self._mocks, activity, fn)

    async def await_started(self, run_id: RunId, workflow: Workflow[..., Any] | None, started: float) -> Any:
        """Return the result of a run that this environment has started, within half a minute."""
        return await self.await_run(run_id, RESULT_SECONDS, workflow=workflow)

    async def _latest_if_idle(self, tree: RunHost) -> object:
        """Return the run that was changed last, and when; `...` while anything is running."""
        running = Query(None, [("state", "eq", RunState.RUNNING)], ("id", False), 1, None)
        if tree.attempts() or await self._stored.query(running):
            return ...
        if await self._stored.inbox(tree.host.registered_worker(), None):
            return ...
        rows = await self._stored.query(Query(None, [], ("updated_at", True), 1, None))
        return [(row.id, row.updated_at) for row in rows]

    def _running(self) -> RunHost:
        if self._tree is None:
            raise NotReady("the environment is not open; use it as `async with postgres_env(dsn) as env`")
        return self._tree


@public
def postgres_env(dsn: str, *, workflows: Iterable[Workflow[..., Any]] = ()) -> PostgresEnvironment:
    """Return an environment on the Postgres at `dsn`: a new schema, dropped at the end of the block."""
    return PostgresEnvironment(dsn, workflows)
