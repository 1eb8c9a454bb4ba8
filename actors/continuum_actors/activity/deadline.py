"""The deadline of one attempt: its timeout, and the longest silence between its heartbeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from continuum_supervision import Cancellable, Clock


class Limits(NamedTuple):
    """The limits of an attempt in seconds, None for none. A `revocable` one may be given up by its run.

    `total` is what is left of its activity's `total_timeout`.
    """

    timeout: float | None = None
    heartbeat_timeout: float | None = None
    revocable: bool = False
    total: float | None = None

    @property
    def unlimited(self) -> bool:
        """Whether the attempt may take as long as it wants."""
        return not self.revocable and self[:2] == (None, None) and self.total is None

    @property
    def shortest(self) -> float | None:
        """How long the attempt may take, whether it sends heartbeats or not."""
        bounds = [bound for bound in (self.timeout, self.total) if bound is not None]
        return max(min(bounds), 0.0) if bounds else None


def out_of_time(seconds: float | None) -> str:
    """Return the message of an attempt that took longer than its limit."""
    return "out of time" if seconds is None else f"not done within its timeout of {seconds:g} s"


def out_of_total_time(seconds: float | None) -> str:
    """Return the message of an activity that took longer than its limit for all attempts."""
    return (
        "not done within its total_timeout"
        if seconds is None
        else f"not done within its total_timeout of {seconds:g} s"
    )


def no_time_for_another(seconds: float | None) -> str:
    """Return the message of an activity that failed so late that no attempt can follow."""
    within = "" if seconds is None else f" of {seconds:g} s"
    return f"the next attempt would begin after its total_timeout{within}"


def without_heartbeat(seconds: float) -> str:
    """Return the message of an attempt that was silent for too long."""
    return f"no heartbeat within its heartbeat_timeout of {seconds:g} s"


class Deadline:
    """Calls `expired` with a message when the first limit is reached."""

    __slots__ = (
        "_alarm",
        "_beat_at",
        "_clock",
        "_expired",
        "_limits",
        "_silent_until",
        "_timeout_at",
        "_total",
    )

    def __init__(self, limits: Limits, clock: Clock, expired: Callable[[str], object]) -> None:
        self._limits = limits
        self._clock = clock
        self._expired = expired
        self._alarm: Cancellable | None = None
        self._timeout_at: float | None = None
        self._beat_at = self._silent_until = 0.0
        # It runs also while the attempt waits for a thread.
        self._total: Cancellable | None = None
        if limits.total is not None:
            self._total = clock.call_later(max(limits.total, 0.0), expired, out_of_total_time(None))

    def start(self) -> None:
        """The attempt begins now."""
        self._beat_at = self._clock.monotonic()
        if self._limits.timeout is not None:
            self._timeout_at = self._beat_at + self._limits.timeout
        self._arm()

    def beat(self) -> None:
        """The attempt has sent a heartbeat."""
        self._beat_at = self._clock.monotonic()

    def cancel(self) -> None:
        """The attempt is over."""
        for alarm in (self._alarm, self._total):
            if alarm is not None:
                alarm.cancel()
        self._alarm = self._total = None

    def _arm(self) -> None:
        silence, now = self._limits.heartbeat_timeout, self._clock.monotonic()
        if silence is not None and (self._timeout_at is None or self._beat_at + silence < self._timeout_at):
            self._silent_until = self._beat_at + silence
            self._alarm = self._clock.call_later(self._silent_until - now, self._silent, silence)
        elif self._timeout_at is not None:
            self._alarm = self._clock.call_later(self._timeout_at - now, self._out_of_time)

    def _silent(self, silence: float) -> None:
        if self._beat_at + silence > self._silent_until:
            self._arm()
        else:
            self._expired(without_heartbeat(silence))

    def _out_of_time(self) -> None:
        self._expired(out_of_time(self._limits.timeout))
