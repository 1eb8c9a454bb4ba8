"""`Part`: one part of a page, read by itself, so that a slow or broken one does not take the page with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Generic, TypeVar

from continuum.errors import ContinuumError, JournalUnavailable, StatementCancelled
from continuum.observer.limits import PART_SECONDS, STATEMENT_SECONDS

T = TypeVar("T")

TOO_SLOW = (
    f"This took longer than {STATEMENT_SECONDS:g} seconds and was stopped. Narrow the search, or load the "
    "page again when the database has less to do."
)


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """What was read, or the `trouble` that kept it from being read, in a sentence that says what to do."""

    value: T | None
    trouble: str | None = None


async def part(reading: Awaitable[T]) -> Part[T]:
    """Read one part of a page.

    A database that does not answer is no trouble of one part: `JournalUnavailable` is raised.
    """
    try:
        async with asyncio.timeout(PART_SECONDS):
            return Part(await reading)
    except (StatementCancelled, TimeoutError):
        return Part(None, TOO_SLOW)
    except JournalUnavailable:
        raise
    except ContinuumError as error:
        return Part(None, str(error))
