"""Retry for as long as the database is down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from continuum.errors import JournalUnavailable
from continuum_actors.host import limits

T = TypeVar("T")

log = logging.getLogger("continuum.journal")


async def until_available(
    ask: Callable[[], Awaitable[T]], what: str, random_fraction: Callable[[], float]
) -> T:
    """Return what `ask` returns; call it again for as long as the journal is unavailable.

    Logs once when the outage begins and once when it is over. Only for requests that may be repeated.
    """
    delay = limits.FIRST_RETRY_SECONDS
    failures = 0
    while True:
        try:
            result = await ask()
        except JournalUnavailable as error:
            if failures == 0:
                log.warning("%s: %s; trying again until it answers", what, error)
            failures += 1
            await asyncio.sleep(delay * (0.5 + random_fraction() / 2))
            delay = min(delay * 2, limits.LAST_RETRY_SECONDS)
        else:
            if failures:
                log.info("%s: the database answers again", what)
            return result
