"""What makes spans in this process, and the span in which code runs.

OpenTelemetry counts only in a process that has loaded its API by itself, with the user's code or before it:
without that there is no current span, no span could go anywhere, and no start-up pays for it.
"""

from __future__ import annotations

import sys

from continuum.telemetry.trace_context import TraceContext
from continuum.telemetry.tracing import NoTracer, Tracer


def tracer_here() -> Tracer:
    """Return what makes spans in this process."""
    if not _is_loaded():
        return NoTracer()
    from continuum.telemetry.open_telemetry import OpenTelemetry

    return OpenTelemetry()


def current_span() -> TraceContext | None:
    """Return the span in which this code runs, None without one."""
    if not _is_loaded():
        return None
    from continuum.telemetry.open_telemetry import span_here

    return span_here()


def current_traceparent() -> str | None:
    """Return the trace context that a call from here hands to others, None without a current span."""
    span = current_span()
    return None if span is None else span.traceparent()


def spans_are_made() -> bool:
    """Whether the application has set up tracing, so that each run is in a trace."""
    if not _is_loaded():
        return False
    from continuum.telemetry.open_telemetry import provider_is_set

    return provider_is_set()


def _is_loaded() -> bool:
    return "opentelemetry.trace" in sys.modules
