"""How long a call is retried while the journal is unavailable.

Only calls that take effect once, however often they are made, may be retried.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from continuum.client.limits import (
    FIRST_RETRY_SECONDS,
    LAST_RETRY_SECONDS,
    READ_RETRY_SECONDS,
    WRITE_RETRY_SECONDS,
)
from continuum.journal.retry import LoopClock, Retry, RetryPolicy

T = TypeVar("T")

WRITES = RetryPolicy(FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, patience=WRITE_RETRY_SECONDS)
READS = RetryPolicy(READ_RETRY_SECONDS, READ_RETRY_SECONDS, attempts=2)


def _no_jitter() -> float:
    return 0.0


_write = Retry(WRITES, LoopClock(), _no_jitter)
_read = Retry(READS, LoopClock(), _no_jitter)


async def retry_write(call: Callable[[], Awaitable[T]]) -> T:
    """Make a write that takes effect once; retry it for at most `WRITE_RETRY_SECONDS`."""
    return await _write("write", "writing", call)


async def retry_read_once(call: Callable[[], Awaitable[T]]) -> T:
    """Make a read; retry it once if the journal was unavailable."""
    return await _read("read", "reading", call)
