"""A run as the client that started or named it holds it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from continuum.client.histories import Event
from continuum.client.runs import Run
from continuum.definitions.signal import MISSING, Signal
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RunId

if TYPE_CHECKING:
    from continuum.client.client import Client

T = TypeVar("T")
D = TypeVar("D")
R = TypeVar("R")


class RunHandle(Generic[R]):
    """One run. `existing` is True when it was there before the start that returned this handle."""

    __slots__ = ("_client", "_workflow", "existing", "id")

    def __init__(
        self, client: Client, run_id: RunId, workflow: Workflow[..., R] | None, *, existing: bool
    ) -> None:
        self._client = client
        self._workflow = workflow
        self.id: RunId = run_id
        self.existing = existing

    def __repr__(self) -> str:
        return f"<run {self.id}{'' if self._workflow is None else f' of {self._workflow.name}'}>"

    async def result(self, timeout: float | timedelta | None = None) -> R:
        """Return what the run, or the one that goes on with its work, returned; wait at most `timeout`.

        Raises `RunFailed`, `RunCancelled` or `TimeoutError`.
        """
        result: R
        if self.existing or timeout is not None:
            result = await self._client.await_run(self.id, timeout, workflow=self._workflow)
        else:
            result = await self._client.await_started(self.id, self._workflow)
        return result

    @overload
    async def signal(self, signal: Signal[T], value: T, *, delivery_id: str | None = None) -> None: ...
    @overload
    async def signal(self, signal: str, value: object = None, *, delivery_id: str | None = None) -> None: ...
    async def signal(
        self, signal: Signal[Any] | str, value: Any = None, *, delivery_id: str | None = None
    ) -> None:
        """Send a signal; a `delivery_id` that this run has seen for this signal is a no-op.

        See `Client.signal` for what is refused.
        """
        await self._client.signal(self.id, signal, value, delivery_id=delivery_id, workflow=self._workflow)

    async def cancel(self, *, force: bool = False) -> None:
        """Ask the run to stop, or with `force` end it at once."""
        await self._client.cancel(self.id, force=force)

    async def get(self) -> Run:
        """Return the run as it is now."""
        return await self._client.get_run(self.id)

    async def state(self) -> str:
        """Return the run's state."""
        return (await self.get()).state

    async def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Merge attributes into the run's."""
        await self._client.set_attributes(self.id, attributes)

    async def history(self) -> list[Event]:
        """Return what the run has journaled so far."""
        return await self._client.history(self.id)

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
        return await self._client.read(self.id, name, type, default=default)

    @overload
    def watch(self, name: str) -> AsyncGenerator[Any, None]: ...
    @overload
    def watch(self, name: str, type: type[T]) -> AsyncGenerator[T, None]: ...
    def watch(self, name: str, type: Any = Any) -> AsyncGenerator[Any, None]:
        """Yield the value published under a name and what it changes to; see `Client.watch`."""
        return self._client.watch(self.id, name, type)
