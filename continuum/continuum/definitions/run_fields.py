"""`RunFields`: a filter for log handlers that says whose code logs a record.

It reads what is there anyway: the run whose code runs in this thread, and the attempt of this context. So a
step costs nothing more when nobody logs, and no run is ever named in the record of another.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from continuum.definitions.activity_context import current_attempt
from continuum.engine.execution import current
from continuum.telemetry.current_trace import current_span, spans_are_made
from continuum.telemetry.trace_context import own_context, read_traceparent


class RunFields(logging.Filter):
    """Add `run_id`, `workflow`, `activity`, `attempt`, `trace_id` and `span_id` to records, where known.

    For handlers: `handler.addFilter(continuum.RunFields())`. In workflow code, in activities and in the
    threads that run these; attributes that a record has already stay.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attributes; every record passes."""
        own = record.__dict__
        for name, value in code_fields().items():
            own.setdefault(name, value)
        return True


def code_fields() -> Mapping[str, object]:
    """Return what is known of the code that runs here; nothing outside of workflows and activities."""
    execution = current()
    if execution is not None:
        info = execution.info
        return {} if info is None else run_fields(info.run_id, info.workflow, info.trace_context)
    attempt = current_attempt()
    if attempt is None:
        return {}
    fields: dict[str, object] = {"run_id": attempt.run_id, "attempt": attempt.attempt}
    if attempt.activity:
        fields["activity"] = attempt.activity
    if attempt.origin is None:
        return fields
    origin = attempt.origin
    fields |= run_fields(origin.run_id, origin.workflow, origin.trace_context)
    span = current_span()
    if span is not None:
        fields["trace_id"], fields["span_id"] = span.trace_id, span.span_id
    return fields


def run_fields(run_id: str, workflow: str, trace_context: str | None) -> dict[str, object]:
    """Return what names a run: also for the engine's own lines about it, as their `extra=`."""
    fields: dict[str, object] = {"run_id": run_id, "workflow": workflow}
    context = read_traceparent(trace_context)
    if context is None and spans_are_made():
        context = own_context(run_id)
    if context is not None:
        fields["trace_id"] = context.trace_id
    return fields
