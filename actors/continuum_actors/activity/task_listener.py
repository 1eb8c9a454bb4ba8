"""The task listener: tells an activity host at once that there is something to claim.

A run host hears of tasks through its signal router; an activity host has none.
"""

from __future__ import annotations

from continuum.journal.port import Topic
from continuum_actors.host import messages as say
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import WorkingActor


class TaskListener(WorkingActor):
    """Turns notifications about tasks into looks for work."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def init(self) -> None:
        self.begin_work(self._listen())

    async def _listen(self) -> None:
        async for _ in self._host.journal.notifications((Topic.TASKS,)):
            self._host.activities.ref.cast(say.LookForWork())
