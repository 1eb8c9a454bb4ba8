"""A supervisor of children that come and go by the thousand.

A child costs one dict entry here; starting and ending one is O(1). Most children are temporary: started with
`start_child_nowait` and never restarted. All children are stopped at once, within one budget.

Unlike in `Supervisor`, a start is not a message to the supervisor, so that a child with a synchronous init
already runs when `start_child_nowait` returns.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .actor import Actor
from .child_lifecycle import SupervisorGaveUp, log_exit, log_failed_start, make_child
from .child_spec import ChildSpec
from .description import NO_ENDS, Describable, Description, Kind, describe_actor, describe_busiest
from .exits import ActorDied, Crash, ExitReason, is_abnormal
from .limits import MAX_RESTART_SECONDS, MAX_RESTARTS, STOP_TIMEOUT_S
from .ref import logger
from .registry import Registry
from .restart import Intensity, Restart, wants_restart
from .spawning import initialise, initialise_nowait, prepare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable

    from .clock import Clock
    from .ref import ActorRef


class TooManyChildren(Exception):
    """The supervisor has `max_children` children already."""

    def __init__(self, max_children: int):
        super().__init__(
            f"all {max_children} places are taken: wait for a child to end, or raise max_children"
        )
        self.max_children = max_children


@dataclass(frozen=True, slots=True)
class _Restart:
    spec: ChildSpec
    reason: ExitReason


class DynamicSupervisor(Actor, Describable):
    """Holds any number of children, up to `max_children`.

    It calls `on_down(ref, reason)` for each child whose end is over. With `hand_over` its own crash or kill
    leaves the children alive, for a successor to `adopt`; an orderly stop ends them all the same.
    """

    def __init__(
        self,
        *,
        max_children: int | None = None,
        max_restarts: int = MAX_RESTARTS,
        max_seconds: float = MAX_RESTART_SECONDS,
        shutdown: float | None = STOP_TIMEOUT_S,
        on_down: Callable[[ActorRef, ExitReason], object] | None = None,
        hand_over: bool = False,
        clock: Clock | None = None,
        registry: Registry | None = None,
    ):
        if max_children is not None and max_children < 0:
            raise ValueError(f"max_children is {max_children}: give zero or more, or None for no limit")
        self.registry = Registry() if registry is None else registry
        self._own_clock = clock
        self._max_children = max_children
        self._fresh_intensity = self._intensity = Intensity(max_restarts, max_seconds)
        self._shutdown = shutdown
        self._on_down = on_down
        self._hand_over = hand_over
        self._children: dict[ActorRef, ChildSpec | None] = {}
        self._empty: asyncio.Future[None] | None = None
        self._crashes = NO_ENDS
        # Bound once, so that all children share one object.
        self._on_child_exit = self._child_ended

    def init(self) -> None:
        if self._own_clock is not None:
            self.clock = self._own_clock
        self._intensity = self._fresh_intensity
        self._children = {}
        self._empty = None
        self.ref.on_exit(self._kill_remaining_children)

    @property
    def max_children(self) -> int | None:
        return self._max_children

    def which_children(self) -> tuple[ActorRef, ...]:
        """Return the refs of all children, oldest first."""
        return tuple(self._children)

    def count_children(self) -> int:
        return len(self._children)

    def describe(self, id: str) -> Description:
        """Return what this supervisor and its busiest children look like now; the others are counted."""
        children = describe_busiest(self._children)
        unlisted = len(self._children) - len(children)
        seen = describe_actor(id, self.ref, Kind.DYNAMIC_SUPERVISOR)
        return replace(seen, children=children, unlisted=unlisted, crashes=self._crashes)

    async def start_child(self, child: ChildSpec | Callable[[], Actor | Awaitable[Actor]]) -> ActorRef:
        """Start a child and wait for its init; a factory instead of a spec makes a temporary child."""
        self._refuse_if_ended_or_full()
        if not isinstance(child, ChildSpec):
            child = ChildSpec("child", child, restart=Restart.TEMPORARY)
        return await self._start(child)

    def start_child_nowait(
        self, actor: Actor, name: Hashable | None = None, init: Callable[[], object] | None = None
    ) -> ActorRef:
        """Start a temporary child whose init is synchronous; it runs when this returns.

        `init` is called instead of the actor's own: a closure over what the child needs only to start.
        """
        self._refuse_if_ended_or_full()
        ref = prepare(actor, clock=self.clock, registry=self.registry, name=name)
        initialise_nowait(ref, init)
        self._children[ref] = None
        ref.on_exit(self._on_child_exit)
        return ref

    def adopt(self, refs: Iterable[ActorRef]) -> None:
        """Take over children that a predecessor has left, as temporary ones."""
        for ref in refs:
            if ref not in self._children:
                self._children[ref] = None
                ref.on_exit(self._on_child_exit)

    async def terminate_child(self, ref: ActorRef, timeout: float | None = STOP_TIMEOUT_S) -> None:
        """Stop one child and do not restart it; a child that is gone is no error."""
        if ref in self._children:
            self._children[ref] = None
            await ref.stop(timeout=timeout)

    def handle_call(self, request: object) -> object:
        raise TypeError(f"a DynamicSupervisor is not called with {request!r}: use its methods")

    async def handle_info(self, message: object) -> None:
        if not isinstance(message, _Restart):
            super().handle_info(message)
            return
        self._intensity = self._intensity.record(self.clock.monotonic())
        if self._intensity.exceeded:
            self.stop(Crash(SupervisorGaveUp(message.spec.id, self._intensity, message.reason)))
            return
        try:
            await self._start(message.spec)
        except Exception as error:  # noqa: BLE001  # logged, counted and tried again
            log_failed_start(message.spec.id, error)
            self.ref.send(_Restart(message.spec, Crash(error)))

    async def terminate(self, reason: ExitReason) -> None:
        if not self._children or (self._hand_over and is_abnormal(reason)):
            return
        self._empty = asyncio.get_running_loop().create_future()
        for ref in tuple(self._children):
            ref.stop_nowait()
        if self._shutdown is None:
            await self._empty
            return
        alarm = self.clock.call_later(self._shutdown, self._after_budget)
        try:
            await self._empty
        finally:
            alarm.cancel()

    def _refuse_if_ended_or_full(self) -> None:
        ended = self.ref.exit_reason
        if ended is not None:
            raise ActorDied(ended)
        if self._max_children is not None and len(self._children) >= self._max_children:
            raise TooManyChildren(self._max_children)

    async def _start(self, spec: ChildSpec) -> ActorRef:
        actor = await make_child(spec)
        # While the factory waited, the supervisor may have ended or filled up.
        self._refuse_if_ended_or_full()
        ref = prepare(actor, clock=self.clock, registry=self.registry, name=spec.name)
        # Entered before its init, so that a stop of the supervisor finds it.
        self._children[ref] = spec
        try:
            await initialise(ref)
        except BaseException:
            self._remove(ref)
            raise
        ref.on_exit(self._on_child_exit)
        return ref

    def _remove(self, ref: ActorRef) -> ChildSpec | None:
        spec = self._children.pop(ref, None)
        if not self._children and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)
        return spec

    def _child_ended(self, ref: ActorRef, reason: ExitReason) -> None:
        spec = self._remove(ref)
        stopping = not self.ref.alive
        if isinstance(reason, Crash) or (is_abnormal(reason) and not stopping):
            log_exit(str(ref.name) if spec is None else spec.id, ref, reason)
            self._crashes = self._crashes.after(reason, self.clock.monotonic())
        if spec is not None and wants_restart(spec.restart, abnormal=is_abnormal(reason)):
            # Dropped if this supervisor is itself ending.
            self.ref.send(_Restart(spec, reason))
        if self._on_down is not None:
            self._on_down(ref, reason)

    def _after_budget(self) -> None:
        if self._children:
            left = len(self._children)
            logger.warning("%d children did not stop within %s s and were killed", left, self._shutdown)
        self._kill_children()

    def _kill_children(self) -> None:
        for ref in tuple(self._children):
            ref.kill()

    def _kill_remaining_children(self, ref: ActorRef, reason: ExitReason) -> None:
        del ref
        if not (self._hand_over and is_abnormal(reason)):
            self._kill_children()
            return
        for child in self._children:
            child.forget_on_exit(self._on_child_exit)
        self._children = {}
