"""Starting a light actor: its ref, name and link, and then its init.

`spawn` is `prepare` (a ref, a name, a link) and then `initialise` (init). A supervisor that must be able to
stop a child during its init takes the two steps one by one.

Init is the first handler of an actor. These functions drive it and therefore use the internals of `ActorRef`.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from .clock import SYSTEM_CLOCK, Clock
from .exits import ActorDied, Crash, ExitReason
from .ref import ActorRef

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .actor import Actor
    from .registry import Registry


async def spawn(
    actor: Actor,
    *,
    clock: Clock = SYSTEM_CLOCK,
    registry: Registry | None = None,
    name: Hashable | None = None,
    link_to: ActorRef | None = None,
) -> ActorRef:
    """Start an actor; returns when its init is over, and raises what init raises."""
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
    """Start an actor whose init is synchronous; it runs when this returns."""
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
    """Give an actor its ref, name and link; none of its code has run yet."""
    earlier: ActorRef | None = getattr(actor, "ref", None)
    if earlier is not None and earlier._actor is actor:
        raise RuntimeError(f"{earlier!r} runs already: make another actor")
    if name is not None and registry is None:
        raise ValueError(f"the name {name!r} needs a registry: pass registry=")
    ref = ActorRef(actor, asyncio.get_running_loop(), copy_context())
    if name is not None and registry is not None:
        registry.register(name, ref)
    actor.ref = ref
    actor.clock = clock
    if link_to is not None:
        ref.link(link_to)
    return ref


async def initialise(ref: ActorRef) -> None:
    """Run init and wait for it; if it fails, undo `prepare` and raise its error."""
    result = _run_init(ref)
    if result is not None:
        ref._run(result, _initialised)
        task = ref._task
        assert task is not None
        try:
            await task
        except BaseException as error:
            ended_by = ref._exit_reason or ref._end_requested
            _fail_init(ref, ended_by or Crash(error))
            current = asyncio.current_task()
            cancelled_here = current is not None and current.cancelling() > 0
            if ended_by is not None and isinstance(error, asyncio.CancelledError) and not cancelled_here:
                # The actor was killed, or a linked actor ended; the spawning task was not cancelled.
                raise ActorDied(ended_by) from None
            raise
        ref._task = None
    _start_handling(ref)


def initialise_nowait(ref: ActorRef, init: Callable[[], object] | None = None) -> None:
    """Run a synchronous init, or `init` instead; if it fails, undo `prepare` and raise its error."""
    result = _run_init(ref, init)
    if result is not None:
        close = getattr(result, "close", None)
        if close is not None:
            close()
        error = TypeError(f"{ref!r} has an asynchronous init: start it with spawn()")
        _fail_init(ref, Crash(error))
        raise error
    _start_handling(ref)


def _run_init(ref: ActorRef, init: Callable[[], object] | None = None) -> Any:
    actor, context = ref._actor, ref._context
    assert context is not None
    assert actor is not None
    if ref._exit_reason is not None:
        raise ActorDied(ref._exit_reason)
    try:
        return context.run(actor.init if init is None else init)
    except BaseException as error:
        _fail_init(ref, Crash(error))
        raise


def _initialised(task: asyncio.Task[Any]) -> None:
    # initialise() awaits the task and handles its outcome.
    del task


def _start_handling(ref: ActorRef) -> None:
    """Handle the messages that came during init."""
    if ref._exit_reason is not None:
        ref._finish()
        raise ActorDied(ref._exit_reason)
    ref._busy = False
    if ref._queue or ref._end_requested is not None:
        ref._wake()


def _fail_init(ref: ActorRef, reason: ExitReason) -> None:
    """Undo prepare(): release the name, remove links without notifying, fail waiting callers."""
    ref._task = None
    if ref._bonds is not None:
        ref._bonds.unlink_all()
    if ref._exit_reason is None:
        ref._exit_reason = reason
    # The caller of spawn gets the error. Without this callback it would be logged as a crash nobody watched.
    ref.on_exit(_reported_to_spawner)
    ref._finish()


def _reported_to_spawner(ref: ActorRef, reason: ExitReason) -> None:
    del ref, reason
