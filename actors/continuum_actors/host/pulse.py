"""The traces of what a process executes, which outlive it."""

from __future__ import annotations

from typing import Protocol


class Pulse(Protocol):
    """Where a process leaves the traces that outlive it."""

    def executing(self, trace: bytes, /) -> None:
        """Record whose code runs in the loop from now on; `traces.py` makes traces."""
        ...

    def clear(self) -> None:
        """Record that no user code is running in the loop."""
        ...

    def thread_begins(self, trace: bytes) -> int | None:
        """Record whose code runs in another thread, and return its place."""
        ...

    def thread_ends(self, place: int | None) -> None:
        """Record that the code at this place has returned."""
        ...

    def on_trial(self, trace: bytes | None) -> None:
        """Record which code was started alone, to see whether it kills its process."""
        ...

    def ends_itself(self, seconds: float | None) -> None:
        """Record that this process ends itself in `seconds`; None if it does not after all."""
        ...

    def set_worker_id(self, worker_id: int) -> None:
        """Record which worker this process is."""
        ...


class NoPulse:
    """For a process that no other process watches."""

    def executing(self, trace: bytes) -> None:
        """Leave no trace."""

    def clear(self) -> None:
        """Leave no trace."""

    def thread_begins(self, trace: bytes) -> int | None:
        """Leave no trace."""

    def thread_ends(self, place: int | None) -> None:
        """Leave no trace."""

    def on_trial(self, trace: bytes | None) -> None:
        """Leave no trace."""

    def ends_itself(self, seconds: float | None) -> None:
        """Leave no trace."""

    def set_worker_id(self, worker_id: int) -> None:
        """Leave no trace."""
