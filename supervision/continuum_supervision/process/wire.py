"""The messages between launcher, root supervisor, process actors and peers; private to them.

User messages travel as pickled bytes: the supervisor routes them without importing their classes.
"""

from dataclasses import dataclass

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for a process; a notice has a number and is kept until the process has handled it.

    An urgent one is handled in the main thread of the process, also while its loop does not turn.
    """

    payload: bytes
    notice: int | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Deliveries:
    """To a process actor: everything that waits for it."""

    deliveries: tuple[Delivery, ...]
    drain: bool = False
    shutdown: bool = False


@dataclass(frozen=True, slots=True)
class ToSibling:
    """A message for a process of the same node, urgent as in `Delivery`."""

    target: str
    payload: bytes
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class ToPeer:
    """A message for a process of another node."""

    node: str
    target: str
    message: bytes


@dataclass(frozen=True, slots=True)
class ToLauncher:
    """A message for the launcher."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class KillSibling:
    """Kill a process of the same node, if it is still this incarnation."""

    process_id: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class BecameReady:
    """The process is ready to serve."""


@dataclass(frozen=True, slots=True)
class NoticesHandled:
    """The process has handled the notices up to this number."""

    up_to: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The main function of the process has ended; nothing follows."""

    exit_code: int


Outgoing = ToSibling | ToPeer | ToLauncher | KillSibling | BecameReady | NoticesHandled | Finished


@dataclass(frozen=True, slots=True)
class FromProcess:
    """From a process actor to the supervisor: everything since its last batch."""

    process_id: str
    incarnation: int
    outgoing: tuple[Outgoing, ...]


@dataclass(frozen=True, slots=True)
class NodeCard:
    """A node: its name, the address of its supervisor, and its incarnation."""

    node: str
    host: str
    port: int
    incarnation: str

    @property
    def address(self) -> Address:
        return (self.host, self.port)


@dataclass(frozen=True, slots=True)
class Hello:
    """Between supervisors: this node is alive. `echo` is the incarnation that it knows of the receiver."""

    card: NodeCard
    echo: str | None
    known: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Between supervisors: this node leaves in order."""

    card: NodeCard
    echo: str


@dataclass(frozen=True, slots=True)
class PeerDeliveries:
    """Between supervisors: messages for processes of the receiver, if it is still this incarnation."""

    card: NodeCard
    echo: str
    deliveries: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class LauncherSends:
    """From the launcher to one of the processes."""

    target: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ShutdownNode:
    """From the launcher: stop the node, within so many seconds."""

    budget: float | None


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """To the launcher: the supervisor runs."""

    address: Address
    supervisor_pid: int
    admin_pid: int
    system_pid: int
    directory: str


@dataclass(frozen=True, slots=True)
class NodeNotStarted:
    """To the launcher: the node could not be started."""

    reason: str
