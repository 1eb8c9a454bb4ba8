"""What a supervision tree looks like now, for people: each actor, its mailbox, its restarts and its last end.

Nothing here is kept up while nobody asks: a supervisor writes down a count and a line at a restart, and the
rest is read from the refs when `describe` is called, in the loop of the actors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from heapq import nlargest
from typing import TYPE_CHECKING

from .exits import ExitReason, describe_in_a_line
from .limits import DESCRIBED_CHILDREN
from .strategy import Strategy

if TYPE_CHECKING:
    from .ref import ActorRef


class Kind(Enum):
    """What an actor is to those below it."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"
    DYNAMIC_SUPERVISOR = "dynamic_supervisor"


class Doing(Enum):
    """What an actor does: it handles messages, waits for them, ends, or does not run."""

    BUSY = "busy"
    IDLE = "idle"
    ENDING = "ending"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Ends:
    """How many ends there were, when the last one was, on the supervisor's clock, and why, in a line."""

    number: int = 0
    last_at: float | None = None
    why: str | None = None

    def after(self, reason: ExitReason, now: float) -> Ends:
        """Return the ends with one more."""
        return Ends(self.number + 1, now, describe_in_a_line(reason))


NO_ENDS = Ends()


@dataclass(frozen=True, slots=True)
class Description:
    """An actor as its supervisor sees it; `actor` is the name of its class, None while it does not run.

    `restarts` has how often it was started again, and how it had ended before. A dynamic supervisor lists
    the children with the most messages waiting, counts the others in `unlisted`, and has in `crashes` those
    of its children that crashed, which may be gone.
    """

    id: str
    kind: Kind
    actor: str | None
    doing: Doing
    mailbox: int
    restarts: Ends = NO_ENDS
    strategy: Strategy | None = None
    children: tuple[Description, ...] = ()
    unlisted: int = 0
    crashes: Ends = NO_ENDS


class Describable:
    """An actor that has others below it."""

    __slots__ = ()

    def describe(self, id: str) -> Description:
        """Return what it and those below it look like now."""
        raise NotImplementedError


def describe_child(id: str, ref: ActorRef | None, restarts: Ends = NO_ENDS) -> Description:
    """Describe a child with all that is below it; without a ref it does not run."""
    actor = None if ref is None else ref._actor
    if ref is None or actor is None:
        return Description(id, Kind.WORKER, None, Doing.DOWN, 0, restarts)
    if isinstance(actor, Describable):
        return replace(actor.describe(id), restarts=restarts)
    return replace(describe_actor(id, ref), restarts=restarts)


def describe_actor(id: str, ref: ActorRef, kind: Kind = Kind.WORKER) -> Description:
    """Describe an actor alone."""
    doing = Doing.ENDING if not ref.alive else Doing.BUSY if ref._busy else Doing.IDLE
    return Description(id, kind, ref._kind.__name__, doing, mailbox_of(ref))


def describe_busiest(refs: Iterable[ActorRef]) -> tuple[Description, ...]:
    """Describe those with the most messages waiting, up to `DESCRIBED_CHILDREN`; the first of equals."""
    chosen = nlargest(DESCRIBED_CHILDREN, refs, key=mailbox_of)
    return tuple(describe_child(str(ref.name), ref) for ref in chosen)


def mailbox_of(ref: ActorRef) -> int:
    """Return how many messages wait."""
    return len(ref._queue or ())
