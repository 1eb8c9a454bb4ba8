"""The address of a light actor, and the life of the actor behind it.

One message, step by step:

1. The sender calls `cast`, `send` or `call`. The ref appends the message to its queue.
2. If the actor is idle, the ref adds itself to the run queue of its loop (`run_queue.py`). A busy actor needs
   no waking: it looks at its queue again when its handler is done.
3. In the next pass of the loop the run queue calls `_drain`, inside the actor's own `contextvars` context.
4. `_drain` takes message after message and calls `handle_cast`, `handle_info` or `handle_call`. After
   `DRAIN_MESSAGES` of them it goes to the back of the run queue, so that other actors get their turn.
5. If a handler returns an awaitable, the ref runs it in a task and `_drain` returns; the messages wait. When
   the task is done, `_after_handler` continues with step 4.
6. The result of `handle_call` resolves the future on which the caller waits.
7. When the queue is empty the actor is idle: no task, no queue, about 300 bytes.

One end, step by step:

1. Something ends the actor: a stop message that has reached the head of the queue, an exception in a handler,
   the abnormal end of a linked actor (which cancels a handler in progress), or `kill`.
2. `_end` sets `_exit_reason`: from now on new messages are dropped and calls raise `ActorDied`.
3. `_end` calls `terminate`, in a task if it returns an awaitable. `kill` skips this step.
4. `_finish` releases the name, fails the callers that still wait with `ActorDied`, runs the `on_exit`
   callbacks, sends `Down` to the watchers and passes the end on to linked actors.

Invariants:

- at most one of init, a handler, terminate runs, and always in the actor's own context: nothing leaks into it
  from the code that woke it;
- `_busy` is True exactly while one of them runs or the ref is in the run queue;
- once `_exit_reason` is set, nothing new is accepted; once `_actor` is None, everybody has been notified.

Use a ref from the thread of the loop that spawned its actor; from another thread go through
`loop.call_soon_threadsafe`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

from .clock import Clock
from .exits import KILLED, SHUTDOWN, ActorDied, Crash, ExitReason, describe, is_abnormal
from .limits import CALL_TIMEOUT_S, DRAIN_MESSAGES, KILL_GRACE_S, STOP_TIMEOUT_S
from .links import Bonds, MonitorId, new_monitor_id
from .replies import Calls, PendingReply, ReplyTo
from .run_queue import run_queue_of

logger = logging.getLogger("continuum.supervision")

# Kinds of messages. Integers, because they are compared once per message.
CAST = 0
INFO = 1
CALL = 2
STOP = 3

ExitCallback: TypeAlias = "Callable[[ActorRef, ExitReason], object]"


class Handler(Protocol):
    """What a ref needs of its actor; `Actor` says what each method is for."""

    trap_exit: ClassVar[bool]
    clock: Clock

    def init(self) -> Awaitable[None] | None: ...
    def handle_call(self, request: Any) -> Any: ...
    def handle_cast(self, message: Any) -> Awaitable[None] | None: ...
    def handle_info(self, message: Any) -> Awaitable[None] | None: ...
    def terminate(self, reason: ExitReason) -> Awaitable[None] | None: ...


@dataclass(frozen=True, slots=True)
class Exit:
    """Tells an actor that traps exits how a linked actor ended."""

    ref: ActorRef
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Down:
    """Tells a watcher how the actor that it monitors ended."""

    ref: ActorRef
    reason: ExitReason
    monitor: MonitorId


class ActorRef:
    """The address of an actor. It stays valid, and harmless, after the actor's end."""

    __slots__ = (
        "__weakref__",
        "_actor",
        "_bonds",
        "_busy",
        "_calls",
        "_context",
        "_end_requested",
        "_exit_reason",
        "_killed",
        "_kind",
        "_loop",
        "_on_exit",
        "_queue",
        "_release_name",
        "_run_queue",
        "_task",
        "name",
    )

    def __init__(self, actor: Handler, loop: asyncio.AbstractEventLoop, context: Context):
        self._actor: Handler | None = actor
        self._kind = type(actor)
        self._loop = loop
        self._run_queue = run_queue_of(loop)
        self._context: Context | None = context
        self._queue: deque[tuple[int, Any, PendingReply | None]] | None = None
        self._busy = True
        self._end_requested: ExitReason | None = None
        self._exit_reason: ExitReason | None = None
        # KILLED as a reason may have come through a link; this flag is about this very actor.
        self._killed = False
        self._task: asyncio.Task[Any] | None = None
        self._calls: Calls | None = None
        self._bonds: Bonds[ActorRef] | None = None
        self._on_exit: tuple[ExitCallback, ...] = ()
        self._release_name: Callable[[Hashable], None] | None = None
        self.name: Hashable | None = None

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        state = "alive" if self._exit_reason is None else describe(self._exit_reason)
        return f"<{self._kind.__name__}{name} {state}>"

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
            # As `_post`, without the cost of two more calls for each message.
            if (queue := self._queue) is None:
                queue = self._queue = deque()
            queue.append((CAST, message, None))
            if not self._busy:
                self._busy = True
                self._run_queue.add(self, self._loop)

    def send(self, message: object) -> None:
        """Deliver to handle_info; dropped if the actor is dead."""
        if self._exit_reason is None:
            self._post(INFO, message, None)

    async def call(self, request: object, timeout: float | None = CALL_TIMEOUT_S) -> Any:
        """Deliver to handle_call and wait for its reply; raises ActorDied or TimeoutError."""
        actor = self._actor
        if self._exit_reason is not None or actor is None:
            raise ActorDied(KILLED if self._exit_reason is None else self._exit_reason)
        self._refuse_from_own_handler("call")
        reply: PendingReply = self._loop.create_future()
        self._post(CALL, request, reply)
        if timeout is None:
            return await reply
        alarm = actor.clock.call_later(timeout, _time_out, reply, self, timeout)
        try:
            return await reply
        finally:
            alarm.cancel()

    def stop_nowait(self, reason: ExitReason = SHUTDOWN) -> None:
        """Ask the actor to end once it has handled what was sent before."""
        if self._exit_reason is None:
            self._post(STOP, reason, None)

    async def stop(self, reason: ExitReason = SHUTDOWN, timeout: float | None = STOP_TIMEOUT_S) -> ExitReason:
        """End the actor, killing it after the timeout; returns when it is over."""
        actor = self._actor
        if actor is not None:
            self._refuse_from_own_handler("stop")
            self.stop_nowait(reason)
            if timeout is not None:
                alarm = actor.clock.call_later(timeout, self.kill)
                try:
                    return await self.wait()
                finally:
                    alarm.cancel()
        return await self.wait()

    def kill(self) -> None:
        """End the actor at once: no terminate, a handler in progress is cancelled."""
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

    async def wait(self) -> ExitReason:
        """Wait until the actor's end is over and everybody has been notified."""
        if self._actor is not None:
            over = self._loop.create_future()

            def resolve(_ref: ActorRef, _reason: ExitReason) -> None:
                if not over.done():
                    over.set_result(None)

            self.on_exit(resolve)
            try:
                await over
            finally:
                self.forget_on_exit(resolve)
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
            self._own_bonds().add_watcher(monitor, watcher._own_bonds())
        return monitor

    def demonitor(self, monitor: MonitorId) -> None:
        """Remove a monitor; one that is gone is no error."""
        if self._bonds is not None:
            self._bonds.remove_watcher(monitor)

    def link(self, other: ActorRef) -> None:
        """Link two actors; the end of an actor that is already dead takes effect at once."""
        if self is other:
            return
        if other._actor is None:
            assert other._exit_reason is not None
            self._receive_exit(other, other._exit_reason)
        elif self._actor is None:
            assert self._exit_reason is not None
            other._receive_exit(self, self._exit_reason)
        else:
            self._own_bonds().link(other._own_bonds())

    def unlink(self, other: ActorRef) -> None:
        if self._bonds is not None and other._bonds is not None:
            self._bonds.unlink(other._bonds)

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
        """For a registry: the actor has lost its name."""
        self.name = self._release_name = None

    def _own_bonds(self) -> Bonds[ActorRef]:
        if self._bonds is None:
            self._bonds = Bonds(self)
        return self._bonds

    def _refuse_from_own_handler(self, what: str) -> None:
        if self._task is not None and asyncio.current_task() is self._task:
            raise RuntimeError(f"{self!r} would wait for itself: no {what} of one's own ref while handling")

    def _post(self, kind: int, message: object, reply: PendingReply | None) -> None:
        queue = self._queue
        if queue is None:
            # An idle actor keeps no queue: an empty deque weighs more than all the rest of it.
            queue = self._queue = deque()
        queue.append((kind, message, reply))
        if not self._busy:
            self._wake()

    def _wake(self) -> None:
        self._busy = True
        self._run_queue.add(self, self._loop)

    def _request_end(self, reason: ExitReason) -> None:
        """End after the message being handled, ahead of those that wait."""
        if self._exit_reason is None and self._end_requested is None:
            self._end_requested = reason
            if not self._busy:
                self._wake()

    def _receive_exit(self, ref: ActorRef, reason: ExitReason) -> None:
        """A linked actor has ended."""
        if self._exit_reason is not None:
            return
        if self._kind.trap_exit:
            self._post(INFO, Exit(ref, reason), None)
        elif is_abnormal(reason):
            # End now: a handler in progress is cancelled, terminate is still called.
            self._request_end(reason)
            if self._task is not None:
                self._task.cancel()

    def _drain(self) -> None:
        calls = self._calls
        for _ in range(DRAIN_MESSAGES):
            if self._end_requested is not None:
                self._end(self._end_requested)
                return
            queue, actor = self._queue, self._actor
            if not queue or actor is None:
                self._queue = None
                self._busy = False
                return
            kind, message, reply = queue.popleft()
            try:
                if kind == CAST:
                    result = actor.handle_cast(message)
                elif kind == INFO:
                    result = actor.handle_info(message)
                elif kind == CALL:
                    calls = self._calls = calls or Calls()
                    calls.current = reply
                    result = actor.handle_call(message)
                else:
                    self._end_requested = message
                    continue
            except (KeyboardInterrupt, SystemExit) as error:
                self._end(Crash(error))
                raise
            except BaseException as error:  # noqa: BLE001  # a stray CancelledError is a crash too
                self._end(Crash(error))
                return
            if result is not None and hasattr(type(result), "__await__"):
                self._run(result, self._after_handler)
                return
            if kind == CALL and calls is not None and not calls.finish(result):
                self._end_for_missing_reply()
                return
            if not queue and self._end_requested is None:  # nearly every actor wakes for one message
                self._queue = None
                self._busy = False
                return
        self._run_queue.add(self, self._loop)

    def _run(self, awaitable: Awaitable[Any], done: Callable[[asyncio.Task[Any]], object]) -> None:
        coroutine = awaitable if inspect.iscoroutine(awaitable) else _await(awaitable)
        # Not loop.create_task: a host's eager task factory would run the first step here and
        # now, inside the context that this callback is already in.
        self._task = asyncio.Task(coroutine, loop=self._loop, context=self._context)
        self._task.add_done_callback(done, context=self._context)
        # The function that made the awaitable may have killed its own actor.
        if self._killed:
            self._task.cancel()

    def _after_handler(self, task: asyncio.Task[Any]) -> None:
        self._task = None
        error = _error_of(task)
        if self._exit_reason is not None:
            self._log_error_of_killed(error)
            self._finish()
        elif self._end_requested is not None and task.cancelled():
            self._end(self._end_requested)
        elif error is not None:
            self._end(Crash(error))
        elif (calls := self._calls) is None or calls.current is None or calls.finish(task.result()):
            self._drain()
        else:
            self._end_for_missing_reply()

    def _end_for_missing_reply(self) -> None:
        name = self._kind.__name__
        self._end(Crash(RuntimeError(f"{name}.handle_call returned NO_REPLY: take reply_to() first")))

    def _promise_reply(self) -> ReplyTo:
        return (Calls() if self._calls is None else self._calls).promise()

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
                self._run(result, self._after_terminate)
                return
        self._finish()

    def _crash_in_terminate(self, error: BaseException) -> None:
        if isinstance(self._exit_reason, Crash) and error.__context__ is None:
            error.__context__ = self._exit_reason.exception
        self._exit_reason = Crash(error)

    def _after_terminate(self, task: asyncio.Task[Any]) -> None:
        self._task = None
        error = _error_of(task)
        if self._killed:
            self._log_error_of_killed(error)
        elif error is not None:
            self._crash_in_terminate(error)
        self._finish()

    def _abandon(self) -> None:
        if self._actor is not None:
            logger.error("%r ignores being killed: its handler is left running, nobody waits for it", self)
            self._finish()

    def _log_error_of_killed(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            logger.warning("%r raised while it was being killed", self, exc_info=error)

    def _finish(self) -> None:
        """Notify everybody. From here on the actor object itself may be collected."""
        if self._actor is None:
            return
        reason = self._exit_reason
        assert reason is not None
        self._actor = self._context = None
        if self._release_name is not None:
            self._release_name(self.name)
            self._release_name = None
        self._fail_callers(reason)
        callbacks, self._on_exit = self._on_exit, ()
        bonds, self._bonds = self._bonds, None
        if isinstance(reason, Crash) and not callbacks and not bonds:
            logger.error("%r crashed and nobody was watching", self, exc_info=reason.exception)
        for callback in callbacks:
            try:
                callback(self, reason)
            except Exception:
                logger.exception("a callback on the exit of %r failed", self)
        if bonds is not None:
            self._notify(bonds, reason)

    def _fail_callers(self, reason: ExitReason) -> None:
        queue, self._queue = self._queue, None
        waiting = [reply for _, _, reply in queue or () if reply is not None]
        for reply in (*(() if self._calls is None else self._calls.take_open()), *waiting):
            if not reply.done():
                reply.set_exception(ActorDied(reason))

    def _notify(self, bonds: Bonds[ActorRef], reason: ExitReason) -> None:
        watchers, linked = bonds.unwatch_all(), bonds.unlink_all()
        for monitor, watcher in watchers:
            watcher.send(Down(self, reason, monitor))
        for other in linked:
            other._receive_exit(self, reason)


def _time_out(reply: PendingReply, ref: ActorRef, timeout: float) -> None:
    if not reply.done():
        reply.set_exception(TimeoutError(f"{ref!r} gave no answer within {timeout} s"))


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception()
