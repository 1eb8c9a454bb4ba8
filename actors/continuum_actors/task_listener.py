"""The task listener: tells an activity host at once that there is something to claim.

A run host hears of tasks through its signal router; an activity host has none.
"""

from __future__ import annotations

import asyncio

from continuum.journal.port import Topic
from continuum_actors import messages as say
from continuum_actors.host import Host
from continuum_supervision import Actor, ActorRef, ExitReason


class TaskListener(Actor):
    """Turns notifications about tasks into looks for work."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._listening: asyncio.Task[None] | None = None

    def init(self) -> None:
        self.ref.on_exit(self._end_listening)
        self._listening = asyncio.get_running_loop().create_task(self._listen())
        self._listening.add_done_callback(self._failed)

    def handle_info(self, message: BaseException) -> None:
        """Listening failed: so does this actor."""
        raise message

    def _end_listening(self, ref: ActorRef, reason: ExitReason) -> None:
        if self._listening is not None:
            self._listening.cancel()

    def _failed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.ref.send(task.exception())

    async def _listen(self) -> None:
        async for _ in self._host.journal.notifications((Topic.TASKS,)):
            self._host.activities.ref.cast(say.LookForWork())
