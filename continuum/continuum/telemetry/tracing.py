"""Spans of runs and attempts: what is traced, and who traces it.

The engine reports to a `Tracer` what a trace shows. `NoTracer` is silent; the other one is in
`open_telemetry.py`, and `current_trace.py` chooses.

A trace shows

- an attempt of an activity, while its code runs and current in it, as a child of the context with which the
  run was started;
- a stay of a run on a worker, linked to that context, made when it ends;
- the run, made once its end is durable, by the owner that has ended it, with its true times. An open span
  would be lost with its process, and each owner would make another one.

Nothing is reported in a replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol


class TracedRun(Protocol):
    """The run that a span is about."""

    @property
    def run_id(self) -> str:
        """Its id."""
        ...

    @property
    def workflow(self) -> str:
        """Its workflow's name."""
        ...

    @property
    def trace_context(self) -> str | None:
        """The trace context with which it was started."""
        ...


class Period(NamedTuple):
    """From when to when, in microseconds since the epoch."""

    began: int
    ended: int


class Tracer(Protocol):
    """Makes spans. Its methods never raise: a tool that looks on must not fail a run."""

    @property
    def active(self) -> bool:
        """Whether anybody receives spans."""
        ...

    def attempt(self, run: TracedRun, activity: str, number: int) -> AbstractContextManager[object]:
        """Return a context in which the code of an attempt runs."""
        ...

    def stayed(self, run: TracedRun, period: Period, node: str, claim: int, signals: Sequence[str]) -> None:
        """A run has left this worker; `signals` are the contexts of the signals that it took here."""
        ...

    def ended(
        self, run: TracedRun, period: Period, state: str, error: str | None, parent: str | None = None
    ) -> None:
        """The end of a run is durable; `error` is the type of its exception, `parent` a parent's id."""
        ...

    def flush(self) -> None:
        """Send what waits: the process ends. It may block for a moment."""
        ...


class NoTracer:
    """For a process without OpenTelemetry."""

    active = False

    def attempt(self, run: TracedRun, activity: str, number: int) -> AbstractContextManager[object]:
        """Make no span."""
        return nullcontext()

    def stayed(self, run: TracedRun, period: Period, node: str, claim: int, signals: Sequence[str]) -> None:
        """Make no span."""

    def ended(
        self, run: TracedRun, period: Period, state: str, error: str | None, parent: str | None = None
    ) -> None:
        """Make no span."""

    def flush(self) -> None:
        """Nothing waits."""
