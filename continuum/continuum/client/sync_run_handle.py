"""`SyncRunHandle`: one run as an object with blocking calls; their documentation is at `RunHandle`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Generic, TypeVar, overload

from continuum.client.cancel_outcome import CancelOutcome
from continuum.client.histories import Event
from continuum.client.loop_thread import LoopThread
from continuum.client.pause_outcome import PauseOutcome
from continuum.client.run_forks import Signals
from continuum.client.run_handle import RunHandle
from continuum.client.run_owner import Owner
from continuum.client.runs import Run
from continuum.definitions.signal import MISSING, Signal
from continuum.operations.explanation import Explanation

R = TypeVar("R")
T = TypeVar("T")
D = TypeVar("D")


class SyncRunHandle(Generic[R]):
    """One run; see `RunHandle`."""

    __slots__ = ("_handle", "_thread", "existing", "id")

    def __init__(self, thread: LoopThread, handle: RunHandle[R]) -> None:
        self._thread = thread
        self._handle = handle
        self.id = handle.id
        self.existing = handle.existing

    def __repr__(self) -> str:
        return repr(self._handle)

    def result(self, timeout: float | timedelta | None = None) -> R:
        """Return the run's result; see `RunHandle.result`."""
        return self._thread.call(self._handle.result(timeout))

    @overload
    def signal(self, signal: Signal[T], value: T, *, delivery_id: str | None = None) -> None: ...
    @overload
    def signal(self, signal: str, value: object = None, *, delivery_id: str | None = None) -> None: ...
    def signal(self, signal: Signal[Any] | str, value: Any = None, *, delivery_id: str | None = None) -> None:
        """Send a signal; see `RunHandle.signal`."""
        self._thread.call(self._handle.signal(signal, value, delivery_id=delivery_id))

    def cancel(self, *, force: bool = False) -> CancelOutcome:
        """Request that the run stops; see `RunHandle.cancel`."""
        return self._thread.call(self._handle.cancel(force=force))

    def unblock(self) -> bool:
        """Let nodes try the blocked run again; see `RunHandle.unblock`."""
        return self._thread.call(self._handle.unblock())

    def pause(self, reason: str | None = None) -> PauseOutcome:
        """Let nothing of the run begin any more; see `RunHandle.pause`."""
        return self._thread.call(self._handle.pause(reason))

    def resume(self) -> bool:
        """Let the paused run continue; see `RunHandle.resume`."""
        return self._thread.call(self._handle.resume())

    def restart(self, *, signals: Signals = "again") -> SyncRunHandle[R]:
        """Let the failed run continue from its failure; see `RunHandle.restart`."""
        return SyncRunHandle(self._thread, self._thread.call(self._handle.restart(signals=signals)))

    def reset(self, at: int, *, signals: Signals = "again") -> SyncRunHandle[R]:
        """Let the run continue from before an event; see `RunHandle.reset`."""
        return SyncRunHandle(self._thread, self._thread.call(self._handle.reset(at=at, signals=signals)))

    def fork(self, at: int, *, signals: Signals = "again") -> SyncRunHandle[R]:
        """Make another run that continues from before an event; see `RunHandle.fork`."""
        return SyncRunHandle(self._thread, self._thread.call(self._handle.fork(at=at, signals=signals)))

    def get(self) -> Run:
        """Return the run as it is now."""
        return self._thread.call(self._handle.get())

    def state(self) -> str:
        """Return the run's state."""
        return self._thread.call(self._handle.state())

    def owner(self) -> Owner | None:
        """Return the process that owns the run; see `RunHandle.owner`."""
        return self._thread.call(self._handle.owner())

    def explain(self) -> Explanation:
        """Return why the run is where it is; see `RunHandle.explain`."""
        return self._thread.call(self._handle.explain())

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Merge attributes into the run's."""
        self._thread.call(self._handle.set_attributes(attributes))

    def history(self) -> list[Event]:
        """Return the run's journaled events so far, oldest first."""
        return self._thread.call(self._handle.history())

    @overload
    def read(self, name: str) -> Any: ...
    @overload
    def read(self, name: str, type: type[T]) -> T: ...
    @overload
    def read(self, name: str, type: type[T], *, default: D) -> T | D: ...
    @overload
    def read(self, name: str, *, default: object) -> Any: ...
    def read(self, name: str, type: Any = Any, *, default: Any = MISSING) -> Any:
        """Return the latest value that the run published under a name; see `Client.read`."""
        return self._thread.call(self._handle.read(name, type, default=default))

    @overload
    def watch(self, name: str) -> Iterator[Any]: ...
    @overload
    def watch(self, name: str, type: type[T]) -> Iterator[T]: ...
    def watch(self, name: str, type: Any = Any) -> Iterator[Any]:
        """Yield the value published under a name, and each change of it; see `Client.watch`."""
        return self._thread.each(self._handle.watch(name, type))
