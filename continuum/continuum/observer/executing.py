"""`Executing`: executes changes of many runs in the background, for people who have begun them on a page.

The request that begins an operation ends at once; the operation is a row in the database. If this process
dies, the row stays and anyone continues it: the page of the operation, or `continuum operations resume`.
"""

from __future__ import annotations

import asyncio
import logging

from continuum.errors import ContinuumError, NotReady
from continuum.operations.bulk import OperatedJournal
from continuum.operations.bulk_execution import execute

log = logging.getLogger("continuum.observer")


class Executing:
    """The operations that this process executes, until it is stopped."""

    def __init__(self, journal: OperatedJournal) -> None:
        self._journal = journal
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, operation: str) -> None:
        """Execute an operation in the background; after a pause the one that ends comes first."""
        task = asyncio.create_task(self._execute(operation, self._tasks.get(operation)), name=operation)
        self._tasks[operation] = task
        task.add_done_callback(self._forget)

    async def stop(self) -> None:
        """End what is under way; each operation stays as it is after its last whole part."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _execute(self, operation: str, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            row = await execute(self._journal, operation, lambda _part: None)
        except NotReady as error:
            log.info("operation %s is not executed here: %s", operation, error)
        except ContinuumError as error:
            log.warning("operation %s is interrupted: %s", operation, error)
        else:
            log.info("operation %s is %s", operation, row.state)

    def _forget(self, task: asyncio.Task[None]) -> None:
        if self._tasks.get(task.get_name()) is task:
            del self._tasks[task.get_name()]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("operation %s is interrupted by a mistake of ours", task.get_name(), exc_info=error)
