"""Tasks that start at once, on a Python that has them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


def start_task(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> asyncio.Task[T]:
    """Start a task, since Python 3.12 at once: work that never waits then costs no turn of the loop."""
    if sys.version_info >= (3, 12):
        factory = loop.get_task_factory()
        if getattr(factory, "starts_eagerly", False):
            return cast("asyncio.Task[T]", factory(loop, work, eager_start=True))  # type: ignore[misc]
        return asyncio.Task(work, loop=loop, eager_start=True)
    factory = loop.get_task_factory()
    # As the loop would, with less around it.
    return asyncio.Task(work, loop=loop) if factory is None else loop.create_task(work)
