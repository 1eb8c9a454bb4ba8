"""Spans through OpenTelemetry's API, the only file that knows it.

The provider, its sampler and its exporters are the application's. It is asked for at each span, because an
application may set it after its node has started.

Attempts and the run are children of one context: that with which the run was started, or else the run's own,
which is made from its id. Attempts name it as their parent before the run's span exists. The API cannot
choose the id of a span, so for this one a tracer of the SDK is copied, with a generator that returns both
ids. Another implementation of the API makes the run's span a child of the context instead.
"""

from __future__ import annotations

import copy
import logging
import time
from asyncio import CancelledError
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    ProxyTracerProvider,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
)

from continuum.failures.exception_text import exception_name
from continuum.telemetry.trace_context import SAMPLED, TraceContext, own_context, read_traceparent
from continuum.telemetry.tracing import Period, TracedRun

log = logging.getLogger("continuum.traces")

NAME = "continuum"
# A stop has a budget; an exporter whose collector is away must not use it up.
FLUSH_MILLISECONDS = 2_000
# Some libraries load the API for applications that trace nothing, and to look costs two microseconds.
LOOK_SECONDS = 1.0
# The SDK keeps 128 links of a span.
MOST_LINKS = 64
_NANOSECONDS = 1_000
_HEXADECIMAL = 16


class OpenTelemetry:
    """Makes the spans of one process."""

    def __init__(self) -> None:
        self._has_failed = False
        self._is_set = False
        self._looks_again = 0.0

    @property
    def active(self) -> bool:
        """Whether the application has set a provider: noticed within a second, and for good."""
        if not self._is_set and time.monotonic() >= self._looks_again:
            self._is_set = provider_is_set()
            self._looks_again = time.monotonic() + LOOK_SECONDS
        return self._is_set

    def attempt(self, run: TracedRun, activity: str, number: int) -> AbstractContextManager[object]:
        """Return a context in which the span of an attempt is the current one."""
        if not self.active:
            return nullcontext()

        def begin() -> Span:
            tracer = _tracer()
            attributes = {**_about(run), "continuum.activity": activity, "continuum.attempt": number}
            return tracer.start_span(
                f"activity {activity}", _inside(_context_of(run, tracer)), attributes=attributes
            )

        return AttemptSpan(begin, self._guarded)

    def stayed(self, run: TracedRun, period: Period, node: str, claim: int, signals: Sequence[str]) -> None:
        """Make the span of a stay: a trace of its own, linked to those of the run and of its signals."""

        def make() -> None:
            tracer = _tracer()
            links = [Link(_span_context(_context_of(run, tracer)), {"continuum.link": "run"})]
            for signal in signals[:MOST_LINKS]:
                sender = read_traceparent(signal)
                if sender is not None:
                    links.append(Link(_span_context(sender), {"continuum.link": "signal"}))
            _make(
                tracer,
                f"stay {run.workflow}",
                Context(),
                period,
                {**_about(run), "continuum.node": node, "continuum.claim": claim},
                links=links,
            )

        self._guarded(make)

    def ended(
        self, run: TracedRun, period: Period, state: str, error: str | None, parent: str | None = None
    ) -> None:
        """Make the span of a run. That of a child without a context is in a trace of its own, with a link."""

        def make() -> None:
            tracer = _tracer()
            whose = _context_of(run, tracer)
            inside, links = _inside(whose), []
            attributes = {**_about(run), "continuum.outcome": state}
            if parent is not None:
                attributes["continuum.parent_run_id"] = parent
            if read_traceparent(run.trace_context) is None:
                if parent is not None:
                    links.append(Link(_span_context(own_context(parent)), {"continuum.link": "parent"}))
                if hasattr(tracer, "id_generator"):
                    # It is the span that its attempts have named as their parent.
                    tracer, inside = _with_ids(tracer, whose), Context()
            _make(tracer, f"run {run.workflow}", inside, period, attributes, links=links, error=error)

        self._guarded(make)

    def flush(self) -> None:
        """Have the provider export what it has, if it can do that."""
        flush = getattr(trace.get_tracer_provider(), "force_flush", None)
        if flush is not None:
            self._guarded(lambda: flush(FLUSH_MILLISECONDS))

    def _guarded(self, call: Callable[[], Any]) -> Any:
        """Call into the application's tracing; a failure there is logged once, and costs its spans only."""
        try:
            return call()
        except Exception:
            if not self._has_failed:
                self._has_failed = True
                log.exception("spans are missing in traces: the tracing of this process fails")
            return None


class AttemptSpan:
    """The span of one attempt, current while the code of that runs."""

    def __init__(self, begin: Callable[[], Span], guarded: Callable[[Callable[[], Any]], Any]) -> None:
        self._begin = begin
        self._guarded = guarded
        self._before = Context()
        self._span: Span | None = None

    def __enter__(self) -> None:
        self._before = context.get_current()
        self._span = span = self._guarded(self._begin)
        # Nothing else is passed on: what is current here belongs to the code that has started the node.
        context.attach(Context() if span is None else trace.set_span_in_context(span, Context()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # No token: a coroutine may be closed in another context than that in which it began.
        context.attach(self._before)
        self._guarded(lambda: self._end(kind))

    def _end(self, kind: type[BaseException] | None) -> None:
        span = self._span
        if span is None:
            return
        if kind is None:
            outcome = "completed"
        elif issubclass(kind, CancelledError | GeneratorExit):
            # From outside: the process stops.
            outcome = "cancelled"
        else:
            outcome = "failed"
            _fail(span, exception_name(kind))
        span.set_attribute("continuum.outcome", outcome)
        span.end()


class ChosenIds:
    """Stands in for the generator of ids of an SDK, for one span."""

    def __init__(self, chosen: TraceContext) -> None:
        self._chosen = chosen

    def generate_trace_id(self) -> int:
        """Return the chosen id of the trace."""
        return int(self._chosen.trace_id, _HEXADECIMAL)

    def generate_span_id(self) -> int:
        """Return the chosen id of the span."""
        return int(self._chosen.span_id, _HEXADECIMAL)

    def is_trace_id_random(self) -> bool:
        """A part of the id is a time."""
        return False


def provider_is_set() -> bool:
    """Whether the application has set a provider; some libraries load the API for those that do."""
    return not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)


def span_here() -> TraceContext | None:
    """Return the current span, None without one."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return None
    return TraceContext(f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags & 0xFF)


def _tracer() -> Tracer:
    return trace.get_tracer_provider().get_tracer(NAME)


def _about(run: TracedRun) -> dict[str, str | int]:
    return {"continuum.run_id": run.run_id, "continuum.workflow": run.workflow}


def _context_of(run: TracedRun, tracer: Tracer) -> TraceContext:
    """Return the context in which the spans of a run are."""
    stored = read_traceparent(run.trace_context)
    if stored is not None:
        return stored
    own = own_context(run.run_id)
    # A parent that is sampled has its children sampled: what the sampler says to the root decides for all.
    sampler: Any = getattr(tracer, "sampler", None)
    if sampler is None:
        return own
    said = sampler.should_sample(None, int(own.trace_id, _HEXADECIMAL), f"run {run.workflow}")
    return own if said.decision.is_sampled() else own._replace(flags=own.flags & ~SAMPLED)


def _span_context(named: TraceContext) -> SpanContext:
    return SpanContext(
        int(named.trace_id, _HEXADECIMAL),
        int(named.span_id, _HEXADECIMAL),
        is_remote=True,
        trace_flags=TraceFlags(named.flags),
    )


def _inside(parent: TraceContext) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_span_context(parent)), Context())


def _with_ids(tracer: Tracer, chosen: TraceContext) -> Tracer:
    own: Any = copy.copy(tracer)
    own.id_generator = ChosenIds(chosen)
    assert isinstance(own, Tracer)
    return own


def _make(
    tracer: Tracer,
    name: str,
    parent: Context,
    period: Period,
    attributes: Mapping[str, str | int],
    *,
    links: Sequence[Link] = (),
    error: str | None = None,
) -> None:
    """Make a span of what is over."""
    span = tracer.start_span(
        name, parent, attributes=attributes, links=links, start_time=period.began * _NANOSECONDS
    )
    if error is not None:
        _fail(span, error)
    # The clock of a database may have been set back.
    span.end(max(period) * _NANOSECONDS)


def _fail(span: Span, error: str) -> None:
    # The type alone: a message may quote what no trace should have.
    span.set_attribute("error.type", error)
    span.set_status(Status(StatusCode.ERROR, error))
