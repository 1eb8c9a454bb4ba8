"""The light actor: a mailbox and a handler at a time in this process's asyncio loop.

Subclass `Actor`, start it with `spawn`, talk to it through its `ActorRef` (`ref.py`).
Handlers may be plain functions, which is cheap, or coroutines, during which the rest
of the mailbox waits. An actor costs no task. What happens inside is in `mailbox.py`.

`spawn` is `prepare` (a ref, a name, a link) and then `initialise` (init); supervisors
that must be able to stop a child in its init take the two steps one by one.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ClassVar

from .clock import SYSTEM_CLOCK, Cancellable, Clock
from .links import NORMAL, ActorDied, Crash, ExitReason
from .mailbox import logger
from .ref import ActorRef, ReplyTo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Hashable

    from .registry import Registry


class Actor:
    """Base of every light actor. Each method may be a coroutine, except `stop` and `send_after`."""

    __slots__ = ("clock", "ref")

    # True turns the exit of a linked actor into an Exit message to handle_info.
    trap_exit: ClassVar[bool] = False

    ref: ActorRef
    clock: Clock

    def init(self) -> Awaitable[None] | None:
        """Make ready; an exception here is the caller of spawn's."""
        return None

    def handle_call(self, request: Any) -> Any:
        """Answer a request: return the reply, or NO_REPLY after taking `reply_to()`."""
        raise NotImplementedError(f"{type(self).__name__} was called with {request!r}: define handle_call")

    def handle_cast(self, message: Any) -> Awaitable[None] | None:
        raise NotImplementedError(f"{type(self).__name__} was cast {message!r}: define handle_cast")

    def handle_info(self, message: Any) -> Awaitable[None] | None:
        """Hear Down and Exit messages, timers, and whatever was sent."""
        logger.warning("%r ignores %r: define handle_info", self.ref, message)
        return None

    def terminate(self, reason: ExitReason) -> Awaitable[None] | None:
        """Clean up; called at every end but a kill."""
        return None

    def stop(self, reason: ExitReason = NORMAL) -> None:
        """End after the current message."""
        self.ref._end_soon(reason)

    def send_after(self, delay: float, message: object) -> Cancellable:
        """Send a message to oneself later; dropped if the actor is dead by then."""
        return self.clock.call_later(delay, self.ref.send, message)

    def reply_to(self) -> ReplyTo:
        """The caller being served, to answer later; take it while handle_call runs."""
        return ReplyTo(self.ref, self.ref._owe())


async def spawn(
    actor: Actor,
    *,
    clock: Clock = SYSTEM_CLOCK,
    registry: Registry | None = None,
    name: Hashable | None = None,
    link_to: ActorRef | None = None,
) -> ActorRef:
    """Start an actor; returns once its init is over, raises what init raises."""
    ref = prepare(actor, clock=clock, registry=registry, name=name, link_to=link_to)
    await initialise(ref)
    return ref


def spawn_nowait(
    actor: Actor,
    *,
    clock: Clock = SYSTEM_CLOCK,
    registry: Registry | None = None,
    name: Hashable | None = None,
    link_to: ActorRef | None = None,
) -> ActorRef:
    """Start an actor whose init is synchronous, here and now."""
    ref = prepare(actor, clock=clock, registry=registry, name=name, link_to=link_to)
    initialise_nowait(ref)
    return ref


def prepare(
    actor: Actor,
    *,
    clock: Clock,
    registry: Registry | None,
    name: Hashable | None,
    link_to: ActorRef | None = None,
) -> ActorRef:
    """Give an actor its ref, name and link; nothing of the actor has run yet."""
    earlier: ActorRef | None = getattr(actor, "ref", None)
    if earlier is not None and earlier._actor is actor:
        raise RuntimeError(f"{earlier!r} runs already: make another actor")
    if name is not None and registry is None:
        raise ValueError(f"the name {name!r} needs a registry to stand in: pass registry=")
    ref = ActorRef(actor, asyncio.get_running_loop(), copy_context())
    if name is not None and registry is not None:
        registry.register(name, ref)
    actor.ref = ref
    actor.clock = clock
    if link_to is not None:
        ref.link(link_to)
    return ref


async def initialise(ref: ActorRef) -> None:
    """Run init and wait for it; a failure leaves nothing behind and is raised here."""
    result = _run_init(ref)
    if result is not None:
        ref._run(result, _initialised)
        task = ref._task
        assert task is not None
        try:
            await task
        except BaseException as error:
            ordered = ref._exit_reason or ref._halt
            _fail_init(ref, ordered or Crash(error))
            current = asyncio.current_task()
            cancelled_here = current is not None and current.cancelling() > 0
            if ordered is not None and isinstance(error, asyncio.CancelledError) and not cancelled_here:
                # The actor was killed or a link struck it; nobody cancelled the spawner.
                raise ActorDied(ordered) from None
            raise
        ref._task = None
    _open(ref)


def initialise_nowait(ref: ActorRef) -> None:
    """Run a synchronous init; a failure leaves nothing behind and is raised here."""
    result = _run_init(ref)
    if result is not None:
        close = getattr(result, "close", None)
        if close is not None:
            close()
        error = TypeError(f"{ref!r} has an asynchronous init: start it with spawn()")
        _fail_init(ref, Crash(error))
        raise error
    _open(ref)


def _run_init(ref: ActorRef) -> Awaitable[None] | None:
    actor, context = ref._actor, ref._context
    assert context is not None
    assert actor is not None
    if ref._exit_reason is not None:
        raise ActorDied(ref._exit_reason)
    try:
        return context.run(actor.init)
    except BaseException as error:
        _fail_init(ref, Crash(error))
        raise


def _initialised(task: asyncio.Task[Any]) -> None:
    # initialise() awaits the task and sees what became of it.
    del task


def _open(ref: ActorRef) -> None:
    """Let the messages in that came during init."""
    if ref._exit_reason is not None:
        ref._finish()
        raise ActorDied(ref._exit_reason)
    ref._busy = False
    if ref._queue or ref._halt is not None:
        ref._wake()


def _fail_init(ref: ActorRef, reason: ExitReason) -> None:
    """Undo prepare(): the name is free, links are cut untold, callers get ActorDied."""
    ref._task = None
    if ref._bonds is not None:
        for linked in tuple(ref._bonds.links):
            ref.unlink(linked)  # type: ignore[arg-type]
    if ref._exit_reason is None:
        ref._exit_reason = reason
    # The caller of spawn gets the error: it is not a crash that nobody saw.
    ref.on_exit(_seen_by_the_spawner)
    ref._finish()


def _seen_by_the_spawner(ref: ActorRef, reason: ExitReason) -> None:
    del ref, reason
