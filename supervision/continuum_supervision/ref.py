"""The address of an actor: everything others may do with it.

A ref is used from the thread of the loop that spawned it; from another thread go
through `loop.call_soon_threadsafe`. What a message sets going is in `mailbox.py`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .limits import CALL_TIMEOUT_S, STOP_TIMEOUT_S
from .links import KILLED, SHUTDOWN, ActorDied, Bonds, Down, ExitReason, MonitorId, new_monitor_id
from .mailbox import CALL, CAST, INFO, STOP, Answer, ExitCallback, Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class ActorRef(Mailbox):
    """The address of an actor. It stays valid, and harmless, after the actor's end."""

    __slots__ = ()

    @property
    def alive(self) -> bool:
        """False from the moment nothing new is accepted."""
        return self._exit_reason is None

    @property
    def exit_reason(self) -> ExitReason | None:
        return self._exit_reason

    def cast(self, message: object) -> None:
        """Deliver to handle_cast; dropped if the actor is dead."""
        if self._exit_reason is None:
            self._post(CAST, message, None)

    def send(self, message: object) -> None:
        """Deliver to handle_info; dropped if the actor is dead."""
        if self._exit_reason is None:
            self._post(INFO, message, None)

    async def call(self, request: object, timeout: float | None = CALL_TIMEOUT_S) -> Any:
        """Ask handle_call and wait; raises ActorDied or TimeoutError."""
        actor = self._actor
        if self._exit_reason is not None or actor is None:
            raise ActorDied(KILLED if self._exit_reason is None else self._exit_reason)
        self._refuse_itself("call")
        answer: Answer = self._loop.create_future()
        self._post(CALL, request, answer)
        if timeout is None:
            return await answer
        alarm = actor.clock.call_later(timeout, _give_up, answer, self, timeout)
        try:
            return await answer
        finally:
            alarm.cancel()

    def stop_nowait(self, reason: ExitReason = SHUTDOWN) -> None:
        """Ask it to end once it has handled what was sent before."""
        if self._exit_reason is None:
            self._post(STOP, reason, None)

    async def stop(self, reason: ExitReason = SHUTDOWN, timeout: float | None = STOP_TIMEOUT_S) -> ExitReason:
        """End the actor, killing it after the timeout; returns when it is over."""
        actor = self._actor
        if actor is not None:
            self._refuse_itself("stop")
            self.stop_nowait(reason)
            if timeout is not None:
                alarm = actor.clock.call_later(timeout, self._kill)
                try:
                    return await self.wait()
                finally:
                    alarm.cancel()
        return await self.wait()

    def kill(self) -> None:
        """End the actor at once: no terminate, a handler in progress is cancelled."""
        self._kill()

    async def wait(self) -> ExitReason:
        """Wait until the actor's end is over and everybody has been told."""
        if self._actor is not None:
            over = self._loop.create_future()

            def tell(_ref: ActorRef, _reason: ExitReason) -> None:
                if not over.done():
                    over.set_result(None)

            self.on_exit(tell)
            try:
                await over
            finally:
                self.forget_on_exit(tell)
        assert self._exit_reason is not None
        return self._exit_reason

    def on_exit(self, callback: ExitCallback) -> None:
        """Run a quick callback at the end of the actor, or now if that is past."""
        if self._actor is None:
            assert self._exit_reason is not None
            callback(self, self._exit_reason)
        else:
            self._on_exit = (*self._on_exit, callback)

    def forget_on_exit(self, callback: ExitCallback) -> None:
        self._on_exit = tuple(kept for kept in self._on_exit if kept != callback)

    def monitor(self, watcher: ActorRef) -> MonitorId:
        """Send the watcher a Down message when this actor ends, or at once if it has."""
        monitor = new_monitor_id()
        if self._actor is None:
            assert self._exit_reason is not None
            watcher.send(Down(self, self._exit_reason, monitor))
        elif watcher._actor is not None:
            self._bound().watchers[monitor] = watcher
            watcher._bound().watching[monitor] = self
        return monitor

    def demonitor(self, monitor: MonitorId) -> None:
        """Take a monitor back; one that is gone is no error."""
        watcher = None if self._bonds is None else self._bonds.watchers.pop(monitor, None)
        if watcher is not None:
            watcher._no_longer_watches(monitor)

    def link(self, other: ActorRef) -> None:
        """Tie two fates together; a link to a dead actor is felt at once."""
        if self is other:
            return
        if other._actor is None:
            assert other._exit_reason is not None
            self._hear_exit(other, other._exit_reason)
        elif self._actor is None:
            assert self._exit_reason is not None
            other._hear_exit(self, self._exit_reason)
        else:
            self._bound().links[other] = None
            other._bound().links[self] = None

    def unlink(self, other: ActorRef) -> None:
        for one, its_other in ((self, other), (other, self)):
            if one._bonds is not None:
                one._bonds.links.pop(its_other, None)

    def hold_name(self, name: Hashable, release: Callable[[Hashable], None]) -> None:
        """For a registry: remember the name and how to give it back."""
        if self._actor is None:
            assert self._exit_reason is not None
            raise ActorDied(self._exit_reason)
        if self._release_name is not None:
            raise ValueError(f"{self!r} has a name already: unregister {self.name!r} first")
        self.name = name
        self._release_name = release

    def drop_name(self) -> None:
        """For a registry: the name is gone."""
        self.name = self._release_name = None

    def _bound(self) -> Bonds:
        if self._bonds is None:
            self._bonds = Bonds()
        return self._bonds

    def _refuse_itself(self, what: str) -> None:
        if self._task is not None and asyncio.current_task() is self._task:
            raise RuntimeError(f"{self!r} would wait for itself: no {what} of one's own ref while handling")


class ReplyTo:
    """A caller that still waits. If its actor ends first, the caller gets ActorDied."""

    __slots__ = ("_answer", "_ref")

    def __init__(self, ref: ActorRef, answer: Answer):
        self._ref = ref
        self._answer = answer

    def reply(self, value: object) -> None:
        """Answer; a caller that has gone, or has its answer, is no error."""
        self._ref._answer(self._answer, value)

    def fail(self, error: BaseException) -> None:
        """Raise in the caller; the actor itself goes on."""
        if not self._answer.done():
            self._answer.set_exception(error)
        self._ref._answer(self._answer, None)


def _give_up(answer: Answer, ref: Mailbox, timeout: float) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError(f"{ref!r} gave no answer within {timeout} s"))
