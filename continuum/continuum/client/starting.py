"""`Starting`: makes starts durable, through the run host in this process if there is one, else by itself.

The host creates a run with its owner and its first step in one commit. Whatever is in the way (no room, other
code, a taken key, a lost lease, a slow database), the client then starts the run itself, in one commit with
other starts. That is safe after any outcome of the host's attempt: a start takes effect once, by its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from continuum.client.group_commit import NOT_KNOWN, GroupCommit
from continuum.client.in_process_port import InProcessPort
from continuum.client.limits import CLOSE_SECONDS, HOST_START_SECONDS
from continuum.errors import JournalUnavailable
from continuum.journal.announced_run import NewRun
from continuum.journal.facts import Started

Start = Callable[[Sequence[NewRun]], Awaitable[Sequence[Started]]]


class Starting:
    """The starts of one client."""

    def __init__(self, start: Start, port: InProcessPort | None) -> None:
        self._group = GroupCommit(start)
        self._port = port
        self._at_host: set[asyncio.Future[bool]] = set()
        self._closed = False

    async def add(self, run: NewRun) -> Started:
        """Start a run; return once that is durable."""
        # The host records nothing.
        if self._port is not None and not self._closed and run.audit is None:
            outcome = self._port.try_start(run)
            if outcome is not None and await self._created(outcome):
                return Started(run.id, False)
        return await self._group.add(run)

    async def close(self) -> None:
        """Accept no more starts, and return once every waiting caller has its result, or an error."""
        self._closed = True
        if self._at_host:
            await asyncio.wait(self._at_host, timeout=CLOSE_SECONDS)
        for outcome in tuple(self._at_host):
            if not outcome.done():
                outcome.set_exception(JournalUnavailable(NOT_KNOWN))
        await self._group.close()

    async def _created(self, outcome: asyncio.Future[bool]) -> bool:
        self._at_host.add(outcome)
        alarm = asyncio.get_running_loop().call_later(HOST_START_SECONDS, _give_up, outcome)
        try:
            return await outcome
        finally:
            alarm.cancel()
            self._at_host.discard(outcome)


def _give_up(outcome: asyncio.Future[bool]) -> None:
    if not outcome.done():
        outcome.set_result(False)
