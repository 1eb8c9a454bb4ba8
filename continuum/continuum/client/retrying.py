"""How long a call is repeated while the journal is unavailable.

Only calls that take effect once however often they are made may be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from continuum.client.limits import (
    FIRST_RETRY_SECONDS,
    LAST_RETRY_SECONDS,
    READ_RETRY_SECONDS,
    WRITE_PATIENCE_SECONDS,
)
from continuum.errors import JournalUnavailable

T = TypeVar("T")


async def persist(call: Callable[[], Awaitable[T]]) -> T:
    """Make a write that takes effect once, again and again until the patience is used up."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WRITE_PATIENCE_SECONDS
    delay = FIRST_RETRY_SECONDS
    while True:
        try:
            return await call()
        except JournalUnavailable:
            if loop.time() + delay > deadline:
                raise
        await asyncio.sleep(delay)
        delay = min(delay * 2, LAST_RETRY_SECONDS)


async def once_more(call: Callable[[], Awaitable[T]]) -> T:
    """Make a read, and once more if the journal was unavailable."""
    try:
        return await call()
    except JournalUnavailable:
        await asyncio.sleep(READ_RETRY_SECONDS)
    return await call()
