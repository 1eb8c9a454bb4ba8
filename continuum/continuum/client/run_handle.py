"""`RunHandle`: one run as an object, with the calls of the client that made it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar, Unpack, overload

from continuum.client.cancel_outcome import CancelOutcome
from continuum.client.histories import Event
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace
from continuum.client.pause_outcome import PauseOutcome
from continuum.client.run_forks import CutOptions, Signals
from continuum.client.run_owner import Owner
from continuum.client.runs import Run
from continuum.definitions.signal import MISSING, Signal
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RunId
from continuum.operations.explanation import Explanation

R = TypeVar("R")
T = TypeVar("T")
D = TypeVar("D")


class CallsOfRun(Protocol):
    """The calls of a client that name a run; see `Client`."""

    async def await_run(
        self,
        run_id: str,
        timeout: float | timedelta | None = None,
        *,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Any: ...
    async def await_started(
        self, run_id: RunId, workflow: Workflow[..., Any] | None, started: float
    ) -> Any: ...
    async def signal(
        self,
        run_id: str,
        signal: Any,
        value: Any = None,
        *,
        delivery_id: str | None = None,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None: ...
    async def cancel(
        self, run_id: str, *, force: bool = False, namespace: InNamespace = ANY_NAMESPACE
    ) -> CancelOutcome: ...
    async def unblock(self, run_id: str, *, namespace: InNamespace = ANY_NAMESPACE) -> bool: ...
    async def restart(
        self, run_id: str, *, namespace: InNamespace = ANY_NAMESPACE, **options: Unpack[CutOptions]
    ) -> RunHandle[Any]: ...
    async def reset(
        self, run_id: str, at: int, *, namespace: InNamespace = ANY_NAMESPACE, **options: Unpack[CutOptions]
    ) -> RunHandle[Any]: ...
    async def fork(
        self, run_id: str, at: int, *, namespace: InNamespace = ANY_NAMESPACE, **options: Unpack[CutOptions]
    ) -> RunHandle[Any]: ...
    async def pause_run(
        self, run_id: str, reason: str | None = None, *, namespace: InNamespace = ANY_NAMESPACE
    ) -> PauseOutcome: ...
    async def resume_run(self, run_id: str, *, namespace: InNamespace = ANY_NAMESPACE) -> bool: ...
    async def owner(self, run_id: str, *, namespace: InNamespace = ANY_NAMESPACE) -> Owner | None: ...
    async def explain(self, run_id: str, *, namespace: InNamespace = ANY_NAMESPACE) -> Explanation: ...
    async def get_run(self, run_id: str, *, namespace: InNamespace = ANY_NAMESPACE) -> Run: ...
    async def set_attributes(
        self, run_id: str, attributes: Mapping[str, Any], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> None: ...
    async def history(self, run_id: str, *, namespace: InNamespace = ANY_NAMESPACE) -> list[Event]: ...
    async def read(
        self,
        run_id: str,
        name: str,
        type: Any,
        *,
        default: Any,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Any: ...
    def watch(
        self, run_id: str, name: str, type: Any, *, namespace: InNamespace = ANY_NAMESPACE
    ) -> AsyncGenerator[Any, None]: ...


class RunHandle(Generic[R]):
    """One run."""

    __slots__ = ("_client", "_namespace", "_started", "_workflow", "id")

    def __init__(
        self,
        client: CallsOfRun,
        run_id: RunId,
        workflow: Workflow[..., R] | None,
        *,
        started: float | None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None:
        self._client = client
        self._workflow = workflow
        self._namespace = namespace
        # When the client started it, in the loop's time; None if it existed before.
        self._started = started
        self.id: RunId = run_id

    @property
    def existing(self) -> bool:
        """Whether the run existed before the start that returned this handle."""
        return self._started is None

    def __repr__(self) -> str:
        return f"<run {self.id}{'' if self._workflow is None else f' of {self._workflow.name}'}>"

    async def result(self, timeout: float | timedelta | None = None) -> R:
        """Return the result of the run, or of the latest run of its chain; wait at most `timeout`.

        Raises `RunFailed`, `RunCancelled` or `TimeoutError`.
        """
        result: R
        if self._started is not None and timeout is None:
            result = await self._client.await_started(self.id, self._workflow, self._started)
        else:
            result = await self._client.await_run(
                self.id, timeout, workflow=self._workflow, namespace=self._namespace
            )
        return result

    @overload
    async def signal(self, signal: Signal[T], value: T, *, delivery_id: str | None = None) -> None: ...
    @overload
    async def signal(self, signal: str, value: object = None, *, delivery_id: str | None = None) -> None: ...
    async def signal(
        self, signal: Signal[Any] | str, value: Any = None, *, delivery_id: str | None = None
    ) -> None:
        """Send a signal; a `delivery_id` that this run has received for this signal has no effect.

        `Client.signal` says which signals are refused.
        """
        await self._client.signal(
            self.id,
            signal,
            value,
            delivery_id=delivery_id,
            workflow=self._workflow,
            namespace=self._namespace,
        )

    async def cancel(self, *, force: bool = False) -> CancelOutcome:
        """Request that the run stops; with `force` end it at once. See `Client.cancel`."""
        return await self._client.cancel(self.id, force=force, namespace=self._namespace)

    async def unblock(self) -> bool:
        """Let nodes try the blocked run again; False if it is not blocked."""
        return await self._client.unblock(self.id, namespace=self._namespace)

    async def restart(self, *, signals: Signals = "again") -> RunHandle[R]:
        """Let the failed run continue from its failure; see `Client.restart`."""
        return await self._client.restart(
            self.id, signals=signals, workflow=self._workflow, namespace=self._namespace
        )

    async def reset(self, at: int, *, signals: Signals = "again") -> RunHandle[R]:
        """Let the run continue from before an event, as the next run of its chain; see `Client.reset`."""
        return await self._client.reset(
            self.id, at=at, signals=signals, workflow=self._workflow, namespace=self._namespace
        )

    async def fork(self, at: int, *, signals: Signals = "again") -> RunHandle[R]:
        """Make another run that continues from before an event of this one; see `Client.fork`."""
        return await self._client.fork(
            self.id, at=at, signals=signals, workflow=self._workflow, namespace=self._namespace
        )

    async def pause(self, reason: str | None = None) -> PauseOutcome:
        """Let nothing of the run begin any more; see `Client.pause_run`."""
        return await self._client.pause_run(self.id, reason, namespace=self._namespace)

    async def resume(self) -> bool:
        """Let the paused run continue; False if it is not paused by itself."""
        return await self._client.resume_run(self.id, namespace=self._namespace)

    async def get(self) -> Run:
        """Return the run as it is now."""
        return await self._client.get_run(self.id, namespace=self._namespace)

    async def state(self) -> str:
        """Return the run's state."""
        return (await self.get()).state

    async def owner(self) -> Owner | None:
        """Return the process that owns the latest run of the chain; None while none does."""
        return await self._client.owner(self.id, namespace=self._namespace)

    async def explain(self) -> Explanation:
        """Return why the run is where it is, who wakes it and when, and what helps; see `Client.explain`."""
        return await self._client.explain(self.id, namespace=self._namespace)

    async def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Merge attributes into the run's."""
        await self._client.set_attributes(self.id, attributes, namespace=self._namespace)

    async def history(self) -> list[Event]:
        """Return the run's journaled events so far, oldest first."""
        return await self._client.history(self.id, namespace=self._namespace)

    @overload
    async def read(self, name: str) -> Any: ...
    @overload
    async def read(self, name: str, type: type[T]) -> T: ...
    @overload
    async def read(self, name: str, type: type[T], *, default: D) -> T | D: ...
    @overload
    async def read(self, name: str, *, default: object) -> Any: ...
    async def read(self, name: str, type: Any = Any, *, default: Any = MISSING) -> Any:
        """Return the latest value that the run published under a name; see `Client.read`."""
        return await self._client.read(self.id, name, type, default=default, namespace=self._namespace)

    @overload
    def watch(self, name: str) -> AsyncGenerator[Any, None]: ...
    @overload
    def watch(self, name: str, type: type[T]) -> AsyncGenerator[T, None]: ...
    def watch(self, name: str, type: Any = Any) -> AsyncGenerator[Any, None]:
        """Yield the value published under a name, and each change of it; see `Client.watch`."""
        return self._client.watch(self.id, name, type, namespace=self._namespace)
