"""The events that processes and the launcher of a node receive, and the envelope around each message."""

from dataclasses import dataclass
from typing import Any

from continuum_supervision.process.liveness import Liveness


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """A sibling runs. A watcher gets this at every start, and for each running sibling when it starts."""

    process_id: str
    role: str
    incarnation: int
    pid: int


@dataclass(frozen=True, slots=True)
class ProcessDied:
    """A sibling is gone. `last` is what it left on the liveness board; its successor overwrites that.

    `died_at` is when its death was noticed, on the machine's monotonic clock. `hung` if it was killed because
    its loop did not turn.
    """

    process_id: str
    role: str
    incarnation: int
    pid: int
    exit_code: int | None
    last: Liveness
    died_at: float
    hung: bool = False

    @property
    def ended_itself(self) -> bool:
        """Whether it ended at the time that it had set for itself."""
        asked = self.hung or self.last.ended_by is not None
        return not asked and 0 < self.last.ends_at <= self.died_at and self.exit_code == 1


@dataclass(frozen=True, slots=True)
class PeerUp:
    """Another node with our cookie answers at this address."""

    node: str
    host: str
    port: int
    incarnation: str


@dataclass(frozen=True, slots=True)
class PeerDown:
    """Another node said goodbye, or is silent. Only a sign of its death: leases decide."""

    node: str
    host: str
    port: int
    incarnation: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message and its sender: a process of this node, one of the named peer, or (None) the launcher."""

    message: Any
    process_id: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A message from a process to the launcher."""

    process_id: str
    incarnation: int
    message: Any


@dataclass(frozen=True, slots=True)
class ProcessReady:
    """A process has reported that it is ready."""

    process_id: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class JoinUnanswered:
    """No node with our cookie answered at the address to join; this one runs alone and keeps trying."""

    reason: str


@dataclass(frozen=True, slots=True)
class NodeEnded:
    """The last event of a node. `reason` is None after an orderly shutdown.

    `hung`: its root supervisor did not answer and was killed. A new node in its place may fare better.
    """

    reason: str | None
    hung: bool = False


SiblingNotice = ProcessStarted | ProcessDied | PeerUp | PeerDown
NodeEvent = (
    Report | ProcessReady | ProcessStarted | ProcessDied | PeerUp | PeerDown | JoinUnanswered | NodeEnded
)
