"""Short asyncio tasks of an actor: kept alive, cancelled together, and fatal when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


def says_only_that_it_was_cancelled(error: BaseException) -> bool:
    """Whether an attempt of this task ended with this error because the task was cancelled.

    Such code may raise something else: its clean-up fails, or a library has its own error for it.
    """
    task = asyncio.current_task()
    return issubclass(type(error), asyncio.CancelledError) or (task is not None and task.cancelling() > 0)


class BackgroundTasks:
    """Begin tasks with `start`; `failed` receives the error of one that raises."""

    __slots__ = ("_failed", "_tasks", "cancelled")

    def __init__(self, failed: Callable[[BaseException], object]) -> None:
        self._failed = failed
        self.cancelled = False
        # asyncio itself keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in a task of its own."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def report_to(self, failed: Callable[[BaseException], object]) -> None:
        """Report failures to a successor of the actor that began the tasks."""
        self._failed = failed

    def cancel(self) -> None:
        """Cancel every task that is running: the process stops."""
        self.cancelled = True
        for task in self._tasks:
            task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)
