"""The attempt that an activity runs in: its number, its progress, whether it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any

from continuum.codec.codec import check_without_annotation, decode, encode
from continuum.engine.ids import RunId
from continuum.errors import ContinuumError
from continuum.telemetry.tracing import TracedRun

# Progress is for resuming an attempt, not for results.
HEARTBEAT_BYTES = 16 * 1024

_CURRENT: ContextVar[ActivityContext | None] = ContextVar("continuum_activity")


class ActivityContext:
    """One attempt: its run, its number from 1, its progress, and whether it was cancelled.

    An attempt from a queue, or in a process of its own, learns of a cancellation at its next heartbeat.
    """

    __slots__ = (
        "_beat",
        "_last",
        "_trace",
        "activity",
        "attempt",
        "beaten",
        "cancelled",
        "origin",
        "over",
        "run_id",
        "seq",
    )

    def __init__(
        self,
        run_id: RunId,
        attempt: int,
        beat: Callable[[ActivityContext, bytes], None] | None = None,
        trace: bytes | None = None,
        seq: int = 0,
        activity: str = "",
        origin: TracedRun | None = None,
    ) -> None:
        self.run_id = run_id
        self._trace = trace
        self.attempt = attempt
        self.cancelled = False
        # For the engine: which activity of its run it is, and of which run, whether it has been answered, and
        # what else a heartbeat calls.
        self.seq = seq
        self.activity = activity
        self.origin = origin
        self.over = False
        self.beaten: Callable[[], None] | None = None
        self._beat = beat
        self._last: bytes | None = None

    def heartbeat(self, details: Any = None) -> None:
        """Record progress (at most 16 KiB encoded); the next attempt sees the latest as `last_heartbeat`.

        It comes back as it went: a record, an Enum or another value of a class of its own is refused with
        `DurableTermError`.
        """
        data = encode(details, path="heartbeat", check=check_without_annotation)
        if len(data) > HEARTBEAT_BYTES:
            raise ValueError(f"heartbeat details take {len(data)} bytes, at most {HEARTBEAT_BYTES} are kept")
        if self._beat is not None:
            self._beat(self, data)

    def resume_from(self, last: bytes | None) -> None:
        """Set the progress that an earlier attempt recorded."""
        self._last = last

    @property
    def last_heartbeat(self) -> Any:
        """The latest progress that an earlier attempt recorded, or None."""
        return None if self._last is None else decode(self._last, path="heartbeat")


def activity_context() -> ActivityContext:
    """Return the attempt that this code runs in; raises outside an activity that Continuum runs."""
    context = _CURRENT.get(None)
    if context is None:
        raise ContinuumError("activity_context() works only inside an activity that a workflow called")
    return context


def enter_activity(context: ActivityContext) -> None:
    """Make `context` the current attempt; call it in a contextvars context of its own."""
    _CURRENT.set(context)


def leave_activity() -> None:
    """End the current attempt: what is started in this contextvars context from now on is none of its."""
    _CURRENT.set(None)


def current_attempt() -> ActivityContext | None:
    """Return the attempt that this code runs in, None outside of activities."""
    return _CURRENT.get(None)


def current_trace(context: Context | None = None) -> bytes | None:
    """Return the trace of the attempt that `context`, or the current one, belongs to."""
    attempt = _CURRENT.get(None) if context is None else context.get(_CURRENT)
    return None if attempt is None else attempt._trace
