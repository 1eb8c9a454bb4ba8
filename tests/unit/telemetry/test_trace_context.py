"""Trace contexts as callers store them: any text, of which some name a span."""

from __future__ import annotations

import pytest

from continuum.telemetry.trace_context import read_traceparent

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00-trace",
        TRACEPARENT.upper(),
        f"ff{TRACEPARENT[2:]}",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"{TRACEPARENT}\n",
    ],
)
def test_a_text_that_is_no_trace_context_names_no_span(text: str | None) -> None:
    assert read_traceparent(text) is None


@pytest.mark.parametrize("text", [TRACEPARENT, f"01{TRACEPARENT[2:]}-more"])
def test_a_trace_context_names_a_span_and_whether_it_is_sampled(text: str) -> None:
    assert read_traceparent(text) == (TRACE_ID, "b7ad6b7169203331", 1)
