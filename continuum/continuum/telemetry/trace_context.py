"""The W3C trace context, as a run has it stored: `version-trace-span-flags` in hexadecimal digits."""

from __future__ import annotations

import re
from typing import NamedTuple

# A later version may have more parts behind the flags; ff is none.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


class TraceContext(NamedTuple):
    """A span by its ids; `flags` says whether it is sampled."""

    trace_id: str
    span_id: str
    flags: int


def read_traceparent(text: str | None) -> TraceContext | None:
    """Return what a traceparent names; None without one, or if it is none: callers may store any text."""
    found = None if text is None else _TRACEPARENT.fullmatch(text)
    return None if found is None else TraceContext(found[1], found[2], int(found[3], 16))
