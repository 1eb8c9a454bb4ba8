"""A supervisor that knows its children by id and starts, restarts and stops them in order.

A supervisor is an actor, so trees nest. At the top of a tree, use it as a context manager:
`async with Supervisor(children) as supervisor`. `restart.py`, `strategy.py` and `shutdown.py` decide what to
do when a child ends; this module carries it out.

- Children start in order, each init awaited before the next. If one fails, those before it are stopped in
  reverse and the error is raised.
- A restart whose start fails counts as one more restart and is tried again.
- After too many restarts the supervisor stops everything in reverse and ends with `Crash(SupervisorGaveUp)`;
  its own supervisor decides what happens then.
- Requests, ends of children and restarts are messages to the supervisor: one at a time, in order.
- A supervisor that is killed kills its children.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, assert_never

from .actor import Actor
from .child_lifecycle import SupervisorGaveUp, log_exit, log_failed_start, log_killed, make_child
from .child_spec import ChildExists, ChildSpec, NoSuchChild, in_order
from .clock import SYSTEM_CLOCK, Clock
from .description import NO_ENDS, Describable, Description, Kind, describe_actor, describe_child
from .exits import KILLED, SHUTDOWN, Crash, ExitReason, is_abnormal
from .limits import MAX_RESTART_SECONDS, MAX_RESTARTS
from .ref import logger
from .registry import Registry
from .replies import NO_REPLY
from .requests import (
    ChildCount,
    ChildInfo,
    CountChildren,
    DeleteChild,
    Request,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from .restart import Intensity, Restart, wants_restart
from .shutdown import KillChild, StopChild, plan
from .spawning import spawn
from .strategy import Strategy, affected

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from .ref import ActorRef


@dataclass(frozen=True, slots=True)
class _Ended:
    ref: ActorRef
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class _RetryStart:
    child_id: str
    reason: ExitReason


class _Child:
    __slots__ = ("ref", "restarts", "retrying", "spec", "stopped_by_request", "stopping")

    def __init__(self, spec: ChildSpec):
        self.spec = spec
        self.ref: ActorRef | None = None
        # Stopped by request: the restart of a sibling does not start it again.
        self.stopped_by_request = False
        self.stopping = False
        # Between two attempts to start it; its later siblings wait for it.
        self.retrying = False
        self.restarts = NO_ENDS


class Supervisor(Actor, Describable):
    """Keeps its children running, by a strategy and within a restart intensity."""

    def __init__(
        self,
        children: Iterable[ChildSpec],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        max_restarts: int = MAX_RESTARTS,
        max_seconds: float = MAX_RESTART_SECONDS,
        clock: Clock | None = None,
        registry: Registry | None = None,
    ):
        if not isinstance(strategy, Strategy):
            raise TypeError(f"strategy is a member of Strategy, not {strategy!r}")
        self.registry = Registry() if registry is None else registry
        self._own_clock = clock
        self._strategy = strategy
        self._fresh_intensity = self._intensity = Intensity(max_restarts, max_seconds)
        self._specs = in_order(children)
        self._children: dict[str, _Child] = {}

    async def __aenter__(self) -> Self:
        await spawn(self, clock=self._own_clock or SYSTEM_CLOCK)
        self.ref.on_exit(_log_if_it_gave_up)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            reason = await self.ref.stop(SHUTDOWN, timeout=None)
        except asyncio.CancelledError:
            # No time is left for an orderly stop, and children left running would be worse than killed ones.
            self.ref.kill()
            raise
        gave_up = reason.exception if isinstance(reason, Crash) else None
        if gave_up is not None and (error is None or isinstance(error, Exception)):
            raise gave_up

    def which_children(self) -> tuple[ChildInfo, ...]:
        """Return every child in start order."""
        return tuple(ChildInfo(child.spec.id, _alive(child), child.spec) for child in self._children.values())

    def count_children(self) -> ChildCount:
        """Return how many children there are and how many of them run."""
        active = sum(1 for child in self._children.values() if _alive(child) is not None)
        return ChildCount(specs=len(self._children), active=active)

    def describe(self, id: str) -> Description:
        """Return what this supervisor and all below it look like now."""
        children = tuple(
            describe_child(child.spec.id, child.ref, child.restarts) for child in self._children.values()
        )
        seen = describe_actor(id, self.ref, Kind.SUPERVISOR)
        return replace(seen, strategy=self._strategy, children=children)

    async def start_child(self, spec: ChildSpec) -> ActorRef:
        """Add a child at the end and start it; if the start fails, raise its error and remove the child."""
        ref: ActorRef = await self.ref.call(StartChild(spec), timeout=None)
        return ref

    async def terminate_child(self, child_id: str) -> None:
        """Stop a child and keep its spec; only `restart_child` starts it again."""
        await self.ref.call(TerminateChild(child_id), timeout=None)

    async def restart_child(self, child_id: str) -> ActorRef:
        """Start a child that is not running."""
        ref: ActorRef = await self.ref.call(RestartChild(child_id), timeout=None)
        return ref

    async def delete_child(self, child_id: str) -> None:
        """Remove the spec of a child that is not running."""
        await self.ref.call(DeleteChild(child_id), timeout=None)

    async def init(self) -> None:
        if self._own_clock is not None:
            self.clock = self._own_clock
        self._intensity = self._fresh_intensity
        self._children = {spec.id: _Child(spec) for spec in self._specs}
        self.ref.on_exit(self._kill_remaining_children)
        for child in tuple(self._children.values()):
            try:
                await self._start(child)
            except BaseException as error:
                error.add_note(f"while the supervisor started its child {child.spec.id!r}")
                await self._stop(tuple(self._children))
                raise

    async def terminate(self, reason: ExitReason) -> None:
        await self._stop(tuple(self._children))

    async def handle_call(self, request: Request) -> Any:
        caller = self.reply_to()
        try:
            return await self._serve(request)
        except Exception as error:  # noqa: BLE001  # the caller's error, or its child's; the supervisor continues
            caller.fail(error)
            return NO_REPLY

    async def _serve(self, request: Request) -> Any:
        match request:
            case WhichChildren():
                return self.which_children()
            case CountChildren():
                return self.count_children()
            case StartChild(spec):
                return await self._add(spec)
            case TerminateChild(child_id):
                return await self._terminate_child(self._find(child_id))
            case RestartChild(child_id):
                return await self._restart_child(self._find(child_id))
            case DeleteChild(child_id):
                return self._delete(self._find(child_id))
            case never:
                assert_never(never)

    async def handle_info(self, message: object) -> None:
        match message:
            case _Ended(ref, reason):
                child = next((child for child in self._children.values() if child.ref is ref), None)
                if child is not None:
                    child.ref = None
                    await self._after_child_ended(child, reason)
            case _RetryStart(child_id, reason):
                child = self._children[child_id]
                if child.retrying:
                    child.retrying = False
                    await self._restart(child, reason)
            case _:
                super().handle_info(message)

    async def _after_child_ended(self, child: _Child, reason: ExitReason) -> None:
        if wants_restart(child.spec.restart, abnormal=is_abnormal(reason)):
            await self._restart(child, reason)
        elif child.spec.restart is Restart.TEMPORARY:
            del self._children[child.spec.id]

    async def _restart(self, child: _Child, reason: ExitReason) -> None:
        now = self.clock.monotonic()
        self._intensity = self._intensity.record(now)
        if self._intensity.exceeded:
            self.stop(Crash(SupervisorGaveUp(child.spec.id, self._intensity, reason)))
            return
        group = affected(self._strategy, tuple(self._children), child.spec.id)
        await self._stop(group)
        for member in [self._children[child_id] for child_id in group]:
            if member is not child and member.spec.restart is Restart.TEMPORARY:
                del self._children[member.spec.id]
            elif not member.stopped_by_request:
                why = reason if member is child else SHUTDOWN
                member.restarts = member.restarts.after(why, now)
                try:
                    await self._start(member)
                except Exception as error:  # noqa: BLE001  # logged, counted and tried again
                    log_failed_start(member.spec.id, error)
                    member.retrying = True
                    # As a message, so that a stop can come between two attempts.
                    self.ref.send(_RetryStart(member.spec.id, Crash(error)))
                    return

    async def _start(self, child: _Child) -> ActorRef:
        actor = await make_child(child.spec)
        ref = await spawn(actor, clock=self.clock, registry=self.registry, name=child.spec.name)
        child.ref = ref
        child.stopped_by_request = child.stopping = child.retrying = False
        ref.on_exit(self._child_ended)
        return ref

    def _child_ended(self, ref: ActorRef, reason: ExitReason) -> None:
        child = next((child for child in self._children.values() if child.ref is ref), None)
        if child is not None:
            if not child.stopping or isinstance(reason, Crash):
                log_exit(child.spec.id, ref, reason)
            if not child.stopping:
                self.ref.send(_Ended(ref, reason))

    async def _stop(self, child_ids: tuple[str, ...]) -> None:
        for step in plan([self._children[child_id].spec for child_id in child_ids]):
            child = self._children[step.child_id]
            ref = child.ref
            if ref is None:
                continue
            child.stopping = True
            match step:
                case KillChild():
                    ref.kill()
                    await ref.wait()
                case StopChild(budget=budget):
                    if await ref.stop(SHUTDOWN, timeout=budget) is KILLED:
                        log_killed(child.spec.id, budget)
                case never:
                    assert_never(never)
            child.ref = None

    def _kill_remaining_children(self, ref: ActorRef, reason: ExitReason) -> None:
        del ref, reason
        for child in reversed(tuple(self._children.values())):
            if child.ref is not None:
                child.stopping = True
                child.ref.kill()

    def _find(self, child_id: str) -> _Child:
        child = self._children.get(child_id)
        if child is None:
            raise NoSuchChild(child_id)
        return child

    async def _add(self, spec: ChildSpec) -> ActorRef:
        if spec.id in self._children:
            raise ChildExists(spec.id, "exists: delete it first, or choose another id")
        child = self._children[spec.id] = _Child(spec)
        try:
            return await self._start(child)
        except BaseException:
            del self._children[spec.id]
            raise

    async def _terminate_child(self, child: _Child) -> None:
        await self._stop((child.spec.id,))
        child.stopped_by_request = True
        # Siblings that wait for its start no longer do: the next attempt starts them without it.
        if child.spec.restart is Restart.TEMPORARY:
            del self._children[child.spec.id]

    async def _restart_child(self, child: _Child) -> ActorRef:
        if _alive(child) is not None or child.retrying:
            raise ChildExists(child.spec.id, "is running: terminate it first")
        return await self._start(child)

    def _delete(self, child: _Child) -> None:
        if _alive(child) is not None or child.retrying:
            raise ChildExists(child.spec.id, "is running: terminate it first")
        del self._children[child.spec.id]


def _alive(child: _Child) -> ActorRef | None:
    return child.ref if child.ref is not None and child.ref.alive else None


def _log_if_it_gave_up(ref: ActorRef, reason: ExitReason) -> None:
    """Log it now: `async with` raises it too, but only when the block ends, and a server's block may not."""
    if isinstance(reason, Crash):
        logger.critical("%r has stopped all its children: leave its block to see the traceback", ref)
