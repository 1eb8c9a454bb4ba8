"""What a process actor is to those who use one: its specification and the facts that it may hear.

Start here; then `context.py` (what a process's main function is given), `launcher.py` (how a
launcher starts a node), `root_supervisor.py` (the root that keeps the processes alive). Knows no Thespian.
"""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.limits import (
    DEFAULT_MAX_RESTARTS,
    DEFAULT_MAX_RESTARTS_WITHIN_S,
    DEFAULT_SHUTDOWN_BUDGET_S,
)
from continuum_supervision.process.liveness import Liveness

if TYPE_CHECKING:
    from continuum_supervision.process.context import ProcessContext


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One OS process under the root supervisor, which runs `main`, an importable async function, in its loop.

    A process is permanent: whenever it ends without having been asked to, it is started again, until it
    has died more than `max_restarts` times within `max_restarts_within` seconds; then the node ends.
    `watches_siblings` has it told of every start and death among the others, and of peers.

    When the node stops, all processes are told at once to drain, and then each in its turn to stop, the
    last started first. One that `drains` ends by itself once it has drained: its shutdown budget counts
    from the first of the two. That of the others counts from the second.
    """

    id: str
    main: "Callable[[ProcessContext], Awaitable[None]]"
    args: Any = None
    role: str = ""
    watches_siblings: bool = False
    drains: bool = False
    max_restarts: int = DEFAULT_MAX_RESTARTS
    max_restarts_within: float = DEFAULT_MAX_RESTARTS_WITHIN_S
    shutdown_budget: float = DEFAULT_SHUTDOWN_BUDGET_S

    def __post_init__(self) -> None:
        name = getattr(self.main, "__qualname__", "")
        module = sys.modules.get(getattr(self.main, "__module__", ""))
        if module is None or module.__name__ == "__main__" or getattr(module, name, None) is not self.main:
            raise ProcessSystemError(
                f"process {self.id}: main must be a module-level function that can be imported: "
                f"move {name or self.main!r} into a module"
            )


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """A sibling runs. A watcher hears it of every sibling, and of all of them when it starts itself."""

    process_id: str
    role: str
    incarnation: int
    pid: int


@dataclass(frozen=True, slots=True)
class ProcessDied:
    """A sibling is gone. `last` is what it left on the liveness board; its successor writes over it."""

    process_id: str
    role: str
    incarnation: int
    pid: int
    exit_code: int | None
    last: Liveness


@dataclass(frozen=True, slots=True)
class PeerUp:
    """Another node with our cookie answers at this address."""

    node: str
    host: str
    port: int
    incarnation: str


@dataclass(frozen=True, slots=True)
class PeerDown:
    """Another node said goodbye, or is silent: a hint only, leases decide."""

    node: str
    host: str
    port: int
    incarnation: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message and where it came from: a process of this node, of the named peer, or (None) the launcher."""

    message: Any
    process_id: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a process told the launcher."""

    process_id: str
    incarnation: int
    message: Any


@dataclass(frozen=True, slots=True)
class ProcessReady:
    """A process has said that it is ready to serve."""

    process_id: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class JoinUnanswered:
    """Nobody with our cookie answered at the address to join; the node runs alone and goes on trying."""

    reason: str


@dataclass(frozen=True, slots=True)
class NodeEnded:
    """The last thing a launcher hears. `reason` is None after an orderly shutdown."""

    reason: str | None


SiblingNotice = ProcessStarted | ProcessDied | PeerUp | PeerDown
NodeEvent = (
    Report | ProcessReady | ProcessStarted | ProcessDied | PeerUp | PeerDown | JoinUnanswered | NodeEnded
)
