"""Spans in memory: every one that was begun, and every one that has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler


class Spans(SpanProcessor):
    """The spans of one test, in the order of their ends."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.begun: list[Span] = []
        self.ended: list[ReadableSpan] = []
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(self)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep a span that begins."""
        self.begun.append(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span that ends."""
        self.ended.append(span)

    @property
    def open(self) -> list[str]:
        """The names of the spans that have no end."""
        return [span.name for span in self.begun if span.end_time is None]

    def names(self) -> Counter[str]:
        """Count the spans of each name; each has ended once, under an id of its own."""
        assert self.open == []
        ids = [(context.trace_id, context.span_id) for context in map(context_of, self.ended)]
        assert len(set(ids)) == len(ids) == len(self.begun)
        return Counter(span.name for span in self.ended)

    def named(self, name: str, **attributes: object) -> list[ReadableSpan]:
        """Return the spans of this name that have these attributes of ours."""
        wanted = {f"continuum.{key}": value for key, value in attributes.items()}
        return [
            span
            for span in self.ended
            if span.name == name and wanted.items() <= (span.attributes or {}).items()
        ]

    def one(self, name: str, **attributes: object) -> ReadableSpan:
        """Return the one span of this name."""
        (found,) = self.named(name, **attributes)
        return found


def context_of(span: ReadableSpan) -> trace.SpanContext:
    """Return the context of a span, which each has."""
    context: trace.SpanContext | None = span.context
    assert context is not None
    return context


@contextmanager
def spans_in_memory(sampler: Sampler | None = None) -> Iterator[Spans]:
    """Be an application that has set a provider."""
    spans = Spans(sampler)
    # A process can set its provider only once.
    with patch.object(trace, "get_tracer_provider", lambda: spans.provider):
        yield spans
