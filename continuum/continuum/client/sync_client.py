"""`SyncClient`: the client for code without a loop, usable from any thread.

It has the calls of `Client`, blocking; their documentation is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, TypeVarTuple, Unpack, overload

from continuum.client.argument_checks import RunOrId
from continuum.client.cancel_outcome import CancelOutcome
from continuum.client.client import Client
from continuum.client.configured_start import ConfiguredStart
from continuum.client.connecting import connect
from continuum.client.histories import Event
from continuum.client.loop_thread import LoopThread
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace
from continuum.client.pause_outcome import Pause, PauseOutcome
from continuum.client.pauses import WorkflowOrName
from continuum.client.queries import Condition
from continuum.client.run_forks import CutOptions, Signals
from continuum.client.run_owner import Owner
from continuum.client.runs import Page, Run
from continuum.client.start_options import (
    Startable,
    StartableWithNone,
    StartableWithOne,
    StartableWithTwo,
    StartOptions,
)
from continuum.client.state_changes import StateChange
from continuum.client.sync_operations import SyncClientOperations
from continuum.client.sync_run_handle import SyncRunHandle
from continuum.definitions.signal import MISSING, Signal
from continuum.definitions.workflow import Workflow
from continuum.journal.facts import NodeRow
from continuum.operations.cut_facts import Cut
from continuum.operations.explanation import Explanation

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
D = TypeVar("D")
A = TypeVar("A")
B = TypeVar("B")
Ts = TypeVarTuple("Ts")


class SyncConfiguredStart:
    """Starts runs with the same options; see `ConfiguredStart`."""

    __slots__ = ("_configured", "_thread")

    def __init__(self, thread: LoopThread, configured: ConfiguredStart) -> None:
        self._thread = thread
        self._configured = configured

    @overload
    def start(self, workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> SyncRunHandle[R]: ...
    @overload
    def start(self, workflow: str, /, *args: Any, **kwargs: Any) -> SyncRunHandle[Any]: ...
    def start(self, workflow: Any, /, *args: Any, **kwargs: Any) -> SyncRunHandle[Any]:
        """Start a run; every argument and keyword goes to the workflow."""
        started = self._thread.call(self._configured.start(workflow, *args, **kwargs))
        return SyncRunHandle(self._thread, started)


class SyncClient:
    """A client whose calls block. Made by `connect_sync`."""

    def __init__(self, thread: LoopThread, client: Client) -> None:
        self._thread = thread
        self._client = client
        self.name = client.name

    def as_actor(self, name: str, *, reason: str | None = None, via: str = "python") -> SyncClient:
        """Return this client in the hands of a person, whose changes are recorded; see `Client.as_actor`."""
        return SyncClient(self._thread, self._client.as_actor(name, reason=reason, via=via))

    @overload
    def start(self, workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> SyncRunHandle[R]: ...
    @overload
    def start(
        self, workflow: StartableWithNone[R], /, **options: Unpack[StartOptions]
    ) -> SyncRunHandle[R]: ...
    @overload
    def start(
        self, workflow: Startable[*Ts, R], /, *args: *Ts, **options: Unpack[StartOptions]
    ) -> SyncRunHandle[R]: ...
    @overload
    def start(
        self, workflow: StartableWithOne[A, R], argument: A, /, **options: Unpack[StartOptions]
    ) -> SyncRunHandle[R]: ...
    @overload
    def start(
        self, workflow: StartableWithTwo[A, B, R], first: A, second: B, /, **options: Unpack[StartOptions]
    ) -> SyncRunHandle[R]: ...
    @overload
    def start(self, workflow: str, /, *args: object, **given: Any) -> SyncRunHandle[Any]: ...
    def start(self, workflow: Any, /, *args: Any, **given: Any) -> SyncRunHandle[Any]:  # type: ignore[misc]  # mypy cannot match TypeVarTuple with Any
        """Start a run; see `Client.start`."""
        return SyncRunHandle(self._thread, self._thread.call(self._client.start(workflow, *args, **given)))

    def options(self, **options: Unpack[StartOptions]) -> SyncConfiguredStart:
        """Return an object whose `start` has these options; see `Client.options`."""
        return SyncConfiguredStart(self._thread, self._client.options(**options))

    @overload
    def handle(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> SyncRunHandle[Any]: ...
    @overload
    def handle(
        self, run_id: RunOrId, workflow: Workflow[..., R], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> SyncRunHandle[R]: ...
    def handle(
        self, run_id: RunOrId, workflow: Any = None, *, namespace: InNamespace = ANY_NAMESPACE
    ) -> SyncRunHandle[Any]:
        """Return a handle for the run with this id; see `Client.handle`."""
        return SyncRunHandle(self._thread, self._client.handle(run_id, workflow, namespace=namespace))

    @overload
    def signal(
        self,
        run_id: RunOrId,
        signal: Signal[T],
        value: T,
        *,
        delivery_id: str | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None: ...
    @overload
    def signal(
        self,
        run_id: RunOrId,
        signal: str,
        value: object = None,
        *,
        delivery_id: str | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None: ...
    def signal(
        self,
        run_id: RunOrId,
        signal: Signal[Any] | str,
        value: Any = None,
        *,
        delivery_id: str | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None:
        """Send a signal to a run; see `Client.signal`."""
        self._thread.call(
            self._client.signal(run_id, signal, value, delivery_id=delivery_id, namespace=namespace)
        )

    def cancel(
        self,
        run_id: RunOrId,
        *,
        force: bool = False,
        seen: Run | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> CancelOutcome:
        """Request that a run stops; see `Client.cancel`."""
        return self._thread.call(self._client.cancel(run_id, force=force, seen=seen, namespace=namespace))

    def pause_run(
        self,
        run_id: RunOrId,
        reason: str | None = None,
        *,
        seen: Run | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> PauseOutcome:
        """Let nothing of a run begin any more; see `Client.pause_run`."""
        return self._thread.call(self._client.pause_run(run_id, reason, seen=seen, namespace=namespace))

    def resume_run(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> bool:
        """Let a paused run continue; see `Client.resume_run`."""
        return self._thread.call(self._client.resume_run(run_id, namespace=namespace))

    def pause(
        self,
        *,
        workflow: WorkflowOrName = None,
        queue: str | None = None,
        namespace: str | None = None,
        reason: str | None = None,
    ) -> PauseOutcome:
        """Pause a workflow, a queue or a namespace; see `Client.pause`."""
        return self._thread.call(
            self._client.pause(workflow=workflow, queue=queue, namespace=namespace, reason=reason)
        )

    def resume(
        self,
        *,
        workflow: WorkflowOrName = None,
        queue: str | None = None,
        namespace: str | None = None,
    ) -> bool:
        """End the pause of a workflow, a queue or a namespace; see `Client.resume`."""
        return self._thread.call(self._client.resume(workflow=workflow, queue=queue, namespace=namespace))

    def pauses(self) -> list[Pause]:
        """Return the paused workflows, queues and namespaces; see `Client.pauses`."""
        return self._thread.call(self._client.pauses())

    @property
    def operations(self) -> SyncClientOperations:
        """Changes of all runs that a search finds; see `ClientOperations`."""
        return SyncClientOperations(self._thread, self._client.operations)

    def unblock(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> bool:
        """Let nodes try a blocked run again; see `Client.unblock`."""
        return self._thread.call(self._client.unblock(run_id, namespace=namespace))

    def cut(
        self,
        run_id: RunOrId,
        how: str,
        *,
        at: int | None = None,
        signals: Signals = "again",
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Cut:
        """Return what a restart, reset or fork would do; see `Client.cut`."""
        return self._thread.call(self._client.cut(run_id, how, at=at, signals=signals, namespace=namespace))

    def restart(
        self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE, **options: Unpack[CutOptions]
    ) -> SyncRunHandle[Any]:
        """Let a failed run continue from its failure; see `Client.restart`."""
        return SyncRunHandle(
            self._thread, self._thread.call(self._client.restart(run_id, namespace=namespace, **options))
        )

    def reset(
        self,
        run_id: RunOrId,
        at: int,
        *,
        namespace: InNamespace = ANY_NAMESPACE,
        **options: Unpack[CutOptions],
    ) -> SyncRunHandle[Any]:
        """Let a run continue from before an event, as the next of its chain; see `Client.reset`."""
        return SyncRunHandle(
            self._thread, self._thread.call(self._client.reset(run_id, at=at, namespace=namespace, **options))
        )

    def fork(
        self,
        run_id: RunOrId,
        at: int,
        *,
        namespace: InNamespace = ANY_NAMESPACE,
        **options: Unpack[CutOptions],
    ) -> SyncRunHandle[Any]:
        """Make another run that continues from before an event; see `Client.fork`."""
        return SyncRunHandle(
            self._thread, self._thread.call(self._client.fork(run_id, at=at, namespace=namespace, **options))
        )

    def await_run(
        self,
        run_id: RunOrId,
        timeout: float | timedelta | None = None,
        *,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Any:
        """Return a run's result once it has ended; see `Client.await_run`."""
        return self._thread.call(self._client.await_run(run_id, timeout, namespace=namespace))

    def get_run(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> Run:
        """Return a run as it is now."""
        return self._thread.call(self._client.get_run(run_id, namespace=namespace))

    def owner(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> Owner | None:
        """Return the process that owns a run."""
        return self._thread.call(self._client.owner(run_id, namespace=namespace))

    def explain(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> Explanation:
        """Return why a run is where it is; see `Client.explain`."""
        return self._thread.call(self._client.explain(run_id, namespace=namespace))

    def query(
        self,
        where: Iterable[Condition] = (),
        *,
        order_by: tuple[str, str] | str = ("started_at", "desc"),
        limit: int = 25,
        cursor: str | None = None,
        namespace: str | None = "default",
        payloads: bool = True,
        find: str | None = None,
        look_at: int | None = None,
    ) -> Page:
        """Return a page of runs; see `Client.query`."""
        return self._thread.call(
            self._client.query(
                where,
                order_by=order_by,
                limit=limit,
                cursor=cursor,
                namespace=namespace,
                payloads=payloads,
                find=find,
                look_at=look_at,
            )
        )

    def set_attributes(
        self, run_id: RunOrId, attributes: Mapping[str, Any], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> None:
        """Merge attributes into a run's."""
        self._thread.call(self._client.set_attributes(run_id, attributes, namespace=namespace))

    def history(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> list[Event]:
        """Return a run's journaled events, oldest first."""
        return self._thread.call(self._client.history(run_id, namespace=namespace))

    def read(
        self,
        run_id: RunOrId,
        name: str,
        type: Any = Any,
        *,
        default: Any = MISSING,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Any:
        """Return the latest value that a run published under a name; see `Client.read`."""
        return self._thread.call(self._client.read(run_id, name, type, default=default, namespace=namespace))

    def watch(
        self, run_id: RunOrId, name: str, type: Any = Any, *, namespace: InNamespace = ANY_NAMESPACE
    ) -> Iterator[Any]:
        """Yield the value published under a name, and each change of it; see `Client.watch`."""
        return self._thread.each(self._client.watch(run_id, name, type, namespace=namespace))

    def events(
        self,
        *,
        cursor: str | None = None,
        workflow: Workflow[..., Any] | str | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Iterator[StateChange]:
        """Yield every change of the states of runs after `cursor`, and wait for more; see `Client.events`."""
        return self._thread.each(self._client.events(cursor=cursor, workflow=workflow, namespace=namespace))

    def nodes(self) -> list[NodeRow]:
        """Return every node that has not been stopped for good."""
        return self._thread.call(self._client.nodes())


async def _entered(connection: AbstractAsyncContextManager[Client]) -> Client:
    return await connection.__aenter__()


async def _left(connection: AbstractAsyncContextManager[Client]) -> None:
    await connection.__aexit__(None, None, None)


@contextmanager
def connect_sync(
    dsn: str | None = None, *, name: str = "default", schema: str | None = None, listen: bool = True
) -> Iterator[SyncClient]:
    """Open a blocking client on a database; see `connect`."""
    thread = LoopThread()
    try:
        connection = connect(dsn, name=name, schema=schema, listen=listen)
        client = thread.call(_entered(connection))
        try:
            yield SyncClient(thread, client)
        finally:
            # In a forked child the connections are the parent's, which still uses them.
            if not thread.lost_in_fork:
                thread.call(_left(connection))
    finally:
        thread.stop()
