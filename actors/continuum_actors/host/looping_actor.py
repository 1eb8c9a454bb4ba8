"""Actors that have loops of their own beside their mailbox, and how the two end together.

A loop that fails is a message, which ends the actor; an actor that ends, also by a
kill, of which `terminate` does not hear, takes its loops along: nobody may go on in its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from continuum.journal.port import LeaseLost
from continuum_actors.host.host import Host
from continuum_supervision import Actor, ActorRef, ExitReason


class WorkingActor(Actor):
    """Begin loops with `begin_work`, usually in `init`."""

    def begin_work(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` for as long as the actor lives."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._work_ended)

        def end(ref: ActorRef, reason: ExitReason) -> None:
            task.cancel()

        self.ref.on_exit(end)
        return task

    def handle_info(self, message: Any) -> None:
        """A loop failed: so does the actor."""
        raise message

    def work_failed(self, error: BaseException | None) -> None:
        """Tell the actor, which ends by it."""
        self.ref.send(error)

    def _work_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.work_failed(task.exception())


class LeasedActor(WorkingActor):
    """One whose loops work in the name of this process's worker lease."""

    _host: Host

    def work_failed(self, error: BaseException | None) -> None:
        """A lost lease ends everything that lives on it, not this actor alone."""
        if isinstance(error, LeaseLost):
            self._host.lease.lost(error)
        else:
            super().work_failed(error)
