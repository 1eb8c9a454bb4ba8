"""What the actors of a process report to be measured, and the stand-in where nobody collects it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from continuum.telemetry.tallies import Tally


class Measured(Protocol):
    """Where a process leaves what it measures. Times are in seconds.

    Every step makes two of these calls, so an implementation only adds to numbers.
    """

    def run_started(self, workflow: str, /) -> None:
        """The first step of a run is durable."""
        ...

    def run_ended(self, workflow: str, state: str, seconds: float, /) -> None:
        """The end of a run is durable, so long after its start."""
        ...

    def run_claimed(self, seconds: float, /) -> None:
        """A process begins a run, so long after its start."""
        ...

    def activity_ended(self, activity: str, outcome: str, seconds: float, /) -> None:
        """An attempt has ended: completed, failed or timed_out."""
        ...

    def task_claimed(self, queue: str, seconds: float, /) -> None:
        """An activity task is claimed, so long after it was due."""
        ...

    def committed(self, events: int, seconds: float, /) -> None:
        """A group commit is durable."""
        ...

    def replayed(self, seconds: float, /) -> None:
        """A history has been replayed."""
        ...

    def timer_fired(self, late: float, /) -> None:
        """A timer wakes a run, so long after it was due."""
        ...

    def process_restarted(self, role: str, /) -> None:
        """A process of the node has died and is started again."""
        ...

    def lease_lost(self) -> None:
        """The worker lease of this process was taken away."""
        ...

    def drain(self) -> Sequence[Tally]:
        """Return what was counted since the last time."""
        ...


class NotMeasured:
    """For a process that nobody measures."""

    def run_started(self, workflow: str, /) -> None:
        """Count nothing."""

    def run_ended(self, workflow: str, state: str, seconds: float, /) -> None:
        """Count nothing."""

    def run_claimed(self, seconds: float, /) -> None:
        """Count nothing."""

    def activity_ended(self, activity: str, outcome: str, seconds: float, /) -> None:
        """Count nothing."""

    def task_claimed(self, queue: str, seconds: float, /) -> None:
        """Count nothing."""

    def committed(self, events: int, seconds: float, /) -> None:
        """Count nothing."""

    def replayed(self, seconds: float, /) -> None:
        """Count nothing."""

    def timer_fired(self, late: float, /) -> None:
        """Count nothing."""

    def process_restarted(self, role: str, /) -> None:
        """Count nothing."""

    def lease_lost(self) -> None:
        """Count nothing."""

    def drain(self) -> Sequence[Tally]:
        """Return nothing."""
        return ()
