"""The specification of a child: how a supervisor starts, restarts and stops it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from enum import Enum

from .actor import Actor
from .limits import STOP_TIMEOUT_S
from .restart import Restart


class Shutdown(Enum):
    """The two ways to stop a child that are not a budget in seconds."""

    BRUTAL_KILL = "brutal_kill"
    INFINITY = "infinity"


class NoSuchChild(LookupError):
    """No child has this id."""

    def __init__(self, child_id: str):
        super().__init__(f"no child has the id {child_id!r}: which_children() lists those that exist")
        self.child_id = child_id


class ChildExists(ValueError):
    """The id is taken, or the child is running."""

    def __init__(self, child_id: str, state: str):
        super().__init__(f"the child {child_id!r} {state}")
        self.child_id = child_id


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child: how to make it, when to restart it, how long it may take to stop.

    `start` makes a new actor each time. Give a child that is itself a supervisor `Shutdown.INFINITY`, or a
    budget above the sum of its children's.
    """

    id: str
    start: Callable[[], Actor | Awaitable[Actor]]
    restart: Restart = Restart.PERMANENT
    shutdown: float | Shutdown = STOP_TIMEOUT_S
    name: Hashable | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise TypeError(f"a child's id is a non-empty string, not {self.id!r}")
        if isinstance(self.start, Actor) or not callable(self.start):
            raise TypeError(f"child {self.id!r}: start is a function that makes an actor, not {self.start!r}")
        if not isinstance(self.restart, Restart):
            raise TypeError(f"child {self.id!r}: restart is a member of Restart, not {self.restart!r}")
        _check_shutdown(self.id, self.shutdown)
        try:
            hash(self.name)
        except TypeError:
            raise TypeError(f"child {self.id!r}: name is hashable, unlike {self.name!r}") from None


def _check_shutdown(child_id: str, shutdown: object) -> None:
    if isinstance(shutdown, Shutdown):
        return
    if isinstance(shutdown, bool) or not isinstance(shutdown, int | float):
        raise TypeError(f"child {child_id!r}: shutdown is seconds or a member of Shutdown, not {shutdown!r}")
    if not 0 <= shutdown < float("inf"):
        raise ValueError(
            f"child {child_id!r}: shutdown is {shutdown}: give zero or more seconds, or Shutdown.INFINITY"
        )


def in_order(specs: Iterable[ChildSpec]) -> tuple[ChildSpec, ...]:
    """Return the specs in their order; raise ChildExists if two have the same id."""
    seen: dict[str, ChildSpec] = {}
    for spec in specs:
        if not isinstance(spec, ChildSpec):
            raise TypeError(f"a supervisor's children are ChildSpecs, not {spec!r}")
        if spec.id in seen:
            raise ChildExists(spec.id, "is listed twice: give each child an id of its own")
        seen[spec.id] = spec
    return tuple(seen.values())
