"""How long a call is retried while the journal is unavailable.

Only calls that take effect once, however often they are made, may be retried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from continuum.client.limits import (
    FIRST_RETRY_SECONDS,
    LAST_RETRY_SECONDS,
    READ_RETRY_SECONDS,
    WRITE_RETRY_SECONDS,
)
from continuum.errors import JournalUnavailable

T = TypeVar("T")


async def retry_write(call: Callable[[], Awaitable[T]]) -> T:
    """Make a write that takes effect once; retry it for at most `WRITE_RETRY_SECONDS`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WRITE_RETRY_SECONDS
    delay = FIRST_RETRY_SECONDS
    while True:
        try:
            return await call()
        except JournalUnavailable:
            if loop.time() + delay > deadline:
                raise
        await asyncio.sleep(delay)
        delay = min(delay * 2, LAST_RETRY_SECONDS)


async def retry_read_once(call: Callable[[], Awaitable[T]]) -> T:
    """Make a read; retry it once if the journal was unavailable."""
    try:
        return await call()
    except JournalUnavailable:
        await asyncio.sleep(READ_RETRY_SECONDS)
    return await call()
