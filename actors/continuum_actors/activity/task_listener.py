"""The task listener: wakes an activity host's dispatcher when there are tasks to claim.

A run host is notified of tasks through its signal router; an activity host has none.
"""

from __future__ import annotations

from continuum.journal.port import Topic
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LoopingActor


class TaskListener(LoopingActor):
    """Has the dispatcher look at every notification about tasks."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def init(self) -> None:
        self.start_loop(self._listen())
        # A predecessor may have died with a notification in hand.
        self._host.tasks.look_for_work()

    async def _listen(self) -> None:
        async for _ in self._host.journal.notifications((Topic.TASKS,)):
            self._host.tasks.look_for_work()
