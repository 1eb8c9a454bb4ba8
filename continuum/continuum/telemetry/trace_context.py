"""The W3C trace context, as a run has it stored: `version-trace-span-flags` in hexadecimal digits.

A run that was started without one has a context all the same, made from its id: every process that runs a
part of it finds the same one, and nothing has to be stored.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

# A later version may have more parts behind the flags; ff is none.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
_SPAN_DIGITS = 16
SAMPLED = 1


class TraceContext(NamedTuple):
    """A span by its ids; the lowest bit of `flags` says whether it is sampled."""

    trace_id: str
    span_id: str
    flags: int

    def traceparent(self) -> str:
        """Return the text that names the span."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def read_traceparent(text: str | None) -> TraceContext | None:
    """Return what a traceparent names; None without one, or if it is none: callers may store any text."""
    found = None if text is None else _TRACEPARENT.fullmatch(text)
    return None if found is None else TraceContext(found[1], found[2], int(found[3], 16))


def own_context(run_id: str) -> TraceContext:
    """Return the context of a run that was started without one: its id is the id of the trace."""
    span_id = sha256(f"continuum run {run_id}".encode()).hexdigest()[:_SPAN_DIGITS]
    return TraceContext(run_id.replace("-", ""), span_id, SAMPLED)
