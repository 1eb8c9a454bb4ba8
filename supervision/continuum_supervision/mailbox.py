"""The life of one light actor: its queue, the one handler at a time, its end.

A mailbox has no task. A delivery has it wait for a turn (`run_queue.py`), in which `_drain`
runs handlers until the queue is empty or its share is used up. A handler that
returns an awaitable gets a task; the queue waits until that is over.

Invariants:

- at most one of init, a handler, terminate runs, and always in the actor's own
  `contextvars` context: what woke an actor never leaks into it;
- `_busy` is True while one of them runs or it waits for a turn, and only then;
- from the moment `_exit_reason` is set nothing new is accepted; from the moment
  `_actor` is None everything is over and everybody has been told.

`ActorRef` in `ref.py` is this class with its public methods.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .limits import DRAIN_MESSAGES, KILL_GRACE_S
from .links import KILLED, ActorDied, Bonds, Crash, Down, Exit, ExitReason, describe, is_abnormal
from .run_queue import turns_of

if TYPE_CHECKING:
    from .actor import Actor
    from .ref import ActorRef

logger = logging.getLogger("continuum.supervision")

# Kinds of envelope. Integers, because this is compared once a message.
CAST = 0
INFO = 1
CALL = 2
STOP = 3

Answer: TypeAlias = "asyncio.Future[Any]"
ExitCallback: TypeAlias = "Callable[[ActorRef, ExitReason], object]"


class NoReply:
    """The type of NO_REPLY."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_REPLY"


NO_REPLY = NoReply()


class Mailbox:
    """One actor's queue and lifecycle; everything here runs in its loop's thread."""

    __slots__ = (
        "__weakref__",
        "_actor",
        "_bonds",
        "_busy",
        "_caller",
        "_context",
        "_exit_reason",
        "_halt",
        "_killed",
        "_kind",
        "_loop",
        "_on_exit",
        "_owed",
        "_queue",
        "_release_name",
        "_task",
        "_turns",
        "name",
    )

    def __init__(self, actor: Actor, loop: asyncio.AbstractEventLoop, context: Context):
        self._actor: Actor | None = actor
        self._kind = type(actor)
        self._loop = loop
        self._turns = turns_of(loop)
        self._context: Context | None = context
        self._queue: deque[tuple[int, Any, Answer | None]] | None = None
        self._busy = True
        self._halt: ExitReason | None = None
        self._exit_reason: ExitReason | None = None
        # A reason may be KILLED by inheritance, through a link; this is about this very actor.
        self._killed = False
        self._task: asyncio.Task[Any] | None = None
        self._caller: Answer | None = None
        self._owed: set[Answer] | None = None
        self._bonds: Bonds | None = None
        self._on_exit: tuple[ExitCallback, ...] = ()
        self._release_name: Callable[[Hashable], None] | None = None
        self.name: Hashable | None = None

    # Asking: everything below only queues or flags.

    def _post(self, kind: int, message: object, answer: Answer | None) -> None:
        queue = self._queue
        if queue is None:
            # An idle actor keeps no queue: an empty deque weighs more than all the rest of it.
            queue = self._queue = deque()
        queue.append((kind, message, answer))
        if not self._busy:
            self._wake()

    def _wake(self) -> None:
        self._busy = True
        try:
            self._turns.wait_for(self, self._loop)
        except RuntimeError:
            # A closed loop never runs this actor again: that is a dead actor, and
            # a delivery to a dead actor is dropped.
            if not self._loop.is_closed():
                raise

    def _end_soon(self, reason: ExitReason) -> None:
        """End after the message being handled, ahead of those that wait."""
        if self._exit_reason is None and self._halt is None:
            self._halt = reason
            if not self._busy:
                self._wake()

    def _interrupt(self, reason: ExitReason) -> None:
        """End now: a handler in progress is cancelled, terminate is still called."""
        self._end_soon(reason)
        if self._exit_reason is None and self._task is not None:
            self._task.cancel()

    # Doing: the loop's callbacks.

    def _drain(self) -> None:
        for _ in range(DRAIN_MESSAGES):
            if self._halt is not None:
                self._obey()
                return
            queue, actor = self._queue, self._actor
            if not queue or actor is None:
                self._queue = None
                self._busy = False
                return
            kind, message, answer = queue.popleft()
            try:
                if kind == CAST:
                    result = actor.handle_cast(message)
                elif kind == INFO:
                    result = actor.handle_info(message)
                elif kind == CALL:
                    self._caller = answer
                    result = actor.handle_call(message)
                else:
                    self._halt = message
                    continue
            except (KeyboardInterrupt, SystemExit) as error:
                self._end(Crash(error))
                raise
            except BaseException as error:  # noqa: BLE001  # a stray CancelledError is a crash too
                self._end(Crash(error))
                return
            if result is not None and hasattr(type(result), "__await__"):
                self._run(result, self._handled)
                return
            if kind == CALL and not self._reply(result):
                return
        self._turns.wait_for(self, self._loop)

    def _run(self, awaitable: Awaitable[Any], done: Callable[[asyncio.Task[Any]], object]) -> None:
        coroutine = awaitable if inspect.iscoroutine(awaitable) else _await(awaitable)
        # Not loop.create_task: a host's eager task factory would run the first step here and
        # now, inside the context that this callback is already in.
        self._task = asyncio.Task(coroutine, loop=self._loop, context=self._context)
        self._task.add_done_callback(done, context=self._context)
        # The function that made the awaitable may have killed its own actor.
        if self._killed:
            self._task.cancel()

    def _handled(self, task: asyncio.Task[Any]) -> None:
        error = _outcome(task)
        if not self._step_over(task, error):
            return
        if error is not None:
            self._end(Crash(error))
        elif self._caller is None or self._reply(task.result()):
            self._drain()

    def _step_over(self, task: asyncio.Task[Any], error: BaseException | None) -> bool:
        """Whether the actor goes on after this init or handler, or ends for another reason."""
        self._task = None
        if self._exit_reason is not None:
            self._log_dying_words(error)
            self._finish()
            return False
        if self._halt is not None and task.cancelled():
            self._obey()
            return False
        return True

    def _reply(self, result: object) -> bool:
        """Answer the caller; False if the handler broke its promise and the actor ended for it."""
        answer, self._caller = self._caller, None
        if result is not NO_REPLY:
            self._answer(answer, result)
        elif answer is not None and not answer.done() and answer not in (self._owed or ()):
            self._caller = answer
            name = self._kind.__name__
            error = RuntimeError(f"{name}.handle_call returned NO_REPLY: take reply_to() first")
            self._end(Crash(error))
            return False
        return True

    def _answer(self, answer: Answer | None, result: object) -> None:
        if answer is not None:
            if self._owed is not None:
                self._owed.discard(answer)
            if not answer.done():
                answer.set_result(result)

    def _owe(self) -> Answer:
        if self._caller is None:
            raise RuntimeError("there is no caller: take reply_to() while handle_call runs")
        if self._owed is None:
            self._owed = set()
        self._owed.add(self._caller)
        return self._caller

    # Ending.

    def _obey(self) -> None:
        reason = self._halt
        assert reason is not None
        self._end(reason)

    def _end(self, reason: ExitReason) -> None:
        """Accept nothing more, run terminate, then finish."""
        if self._exit_reason is not None:
            # Killed by its own handler.
            return
        actor = self._actor
        assert actor is not None
        self._busy = True
        self._exit_reason = reason
        try:
            result = actor.terminate(reason)
        except (KeyboardInterrupt, SystemExit) as error:
            self._exit_reason = Crash(error)
            self._finish()
            raise
        except BaseException as error:  # noqa: BLE001  # as for any other handler
            self._crash_in_terminate(error)
        else:
            if result is not None and self._actor is not None:
                self._run(result, self._terminated)
                return
        self._finish()

    def _crash_in_terminate(self, error: BaseException) -> None:
        if isinstance(self._exit_reason, Crash) and error.__context__ is None:
            error.__context__ = self._exit_reason.exception
        self._exit_reason = Crash(error)

    def _terminated(self, task: asyncio.Task[Any]) -> None:
        self._task = None
        error = _outcome(task)
        if self._killed:
            self._log_dying_words(error)
        elif error is not None:
            self._crash_in_terminate(error)
        self._finish()

    def _kill(self) -> None:
        actor = self._actor
        if actor is None or self._killed:
            return
        self._killed = True
        self._exit_reason = KILLED
        if self._task is None:
            self._finish()
        else:
            self._task.cancel()
            actor.clock.call_later(KILL_GRACE_S, self._abandon)

    def _abandon(self) -> None:
        if self._actor is not None:
            logger.error("%r ignores being killed: its handler is left running, nobody waits for it", self)
            self._finish()

    def _log_dying_words(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            logger.warning("%r raised while it was being killed", self, exc_info=error)

    def _finish(self) -> None:
        """Tell everybody. From here on the actor object itself may be collected."""
        if self._actor is None:
            return
        reason = self._exit_reason
        assert reason is not None
        self._actor = self._context = None
        if self._release_name is not None:
            self._release_name(self.name)
            self._release_name = None
        self._refuse_callers(reason)
        callbacks, self._on_exit = self._on_exit, ()
        bonds, self._bonds = self._bonds, None
        if isinstance(reason, Crash) and not callbacks and not bonds:
            logger.error("%r crashed and nobody was watching", self, exc_info=reason.exception)
        ref = cast("ActorRef", self)
        for callback in callbacks:
            try:
                callback(ref, reason)
            except Exception:
                logger.exception("a callback on the exit of %r failed", self)
        if bonds is not None:
            self._tell_bonds(ref, bonds, reason)

    def _refuse_callers(self, reason: ExitReason) -> None:
        queue, self._queue = self._queue, None
        owed, self._owed = self._owed, None
        caller, self._caller = self._caller, None
        waiting = [answer for _, _, answer in queue or ()]
        for answer in (caller, *(owed or ()), *waiting):
            if answer is not None and not answer.done():
                answer.set_exception(ActorDied(reason))

    def _tell_bonds(self, ref: ActorRef, bonds: Bonds, reason: ExitReason) -> None:
        for monitor, watched in bonds.watching.items():
            if watched._bonds is not None:
                watched._bonds.watchers.pop(monitor, None)
        for monitor, watcher in bonds.watchers.items():
            watcher._no_longer_watches(monitor)
            if watcher._exit_reason is None:
                watcher._post(INFO, Down(ref, reason, monitor), None)
        for linked in bonds.links:
            if linked._bonds is not None:
                linked._bonds.links.pop(self, None)
            linked._hear_exit(ref, reason)

    def _no_longer_watches(self, monitor: Any) -> None:
        if self._bonds is not None:
            self._bonds.watching.pop(monitor, None)

    def _hear_exit(self, ref: ActorRef, reason: ExitReason) -> None:
        """What the end of a linked actor does to this one."""
        if self._exit_reason is not None:
            return
        if self._kind.trap_exit:
            self._post(INFO, Exit(ref, reason), None)
        elif is_abnormal(reason):
            self._interrupt(reason)

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        state = "alive" if self._exit_reason is None else describe(self._exit_reason)
        return f"<{self._kind.__name__}{name} {state}>"


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _outcome(task: asyncio.Task[Any]) -> BaseException | None:
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception()
