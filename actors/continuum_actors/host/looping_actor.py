"""Actors that run loops besides their mailbox, and how the two end together.

A loop that fails sends its error to the actor, which ends by it. An actor that ends cancels its
loops, also after a kill, when `terminate` is not called: no loop may continue in its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from continuum.journal.port import LeaseLost
from continuum_actors.host.host import Host
from continuum_supervision import Actor, ActorRef, ExitReason


class LoopEnded(Exception):
    """A loop returned, though it runs for as long as its actor lives: what it read from is closed."""


class LoopingActor(Actor):
    """Start loops with `start_loop`, usually in `init`."""

    def start_loop(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` for as long as the actor lives."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._loop_ended)

        def end(ref: ActorRef, reason: ExitReason) -> None:
            task.cancel()

        self.ref.on_exit(end)
        return task

    def handle_info(self, message: Any) -> None:
        """A loop failed: so does the actor."""
        raise message

    def loop_failed(self, error: BaseException | None) -> None:
        """Send the error, or that the loop returned, to the actor, which ends by it."""
        self.ref.send(error or LoopEnded(f"a loop of {type(self).__name__} returned"))

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.loop_failed(task.exception())


class LeasedActor(LoopingActor):
    """One whose loops work in the name of this process's worker lease."""

    _host: Host

    def loop_failed(self, error: BaseException | None) -> None:
        """A lost lease ends everything that lives on it, not this actor alone."""
        if isinstance(error, LeaseLost):
            self._host.lease.lost(error)
        else:
            super().loop_failed(error)
