"""What travels between launcher, root supervisor, process actors and peers; private to them.

User messages travel as pickled bytes: the supervisor routes them without importing what they are made of.
"""

from dataclasses import dataclass

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for a process; a notice has a number and is kept until the process has taken it."""

    payload: bytes
    notice: int | None = None


@dataclass(frozen=True, slots=True)
class Deliveries:
    """To a process actor: everything that has been waiting for it."""

    deliveries: tuple[Delivery, ...]
    drain: bool = False
    shutdown: bool = False


@dataclass(frozen=True, slots=True)
class ToSibling:
    target: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class ToPeer:
    node: str
    target: str
    message: bytes


@dataclass(frozen=True, slots=True)
class ToLauncher:
    payload: bytes


@dataclass(frozen=True, slots=True)
class KillSibling:
    process_id: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class SaidReady:
    pass


@dataclass(frozen=True, slots=True)
class NoticesTaken:
    up_to: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The main function of a process has ended; nothing follows."""

    exit_code: int


Outgoing = ToSibling | ToPeer | ToLauncher | KillSibling | SaidReady | NoticesTaken | Finished


@dataclass(frozen=True, slots=True)
class FromProcess:
    """From a process actor to the supervisor: everything since it last spoke."""

    process_id: str
    incarnation: int
    outgoing: tuple[Outgoing, ...]


@dataclass(frozen=True, slots=True)
class NodeCard:
    """Which node this is, where its supervisor listens, and which life of it."""

    node: str
    host: str
    port: int
    incarnation: str

    @property
    def address(self) -> Address:
        return (self.host, self.port)


@dataclass(frozen=True, slots=True)
class Hello:
    """Between supervisors. `echo` is the receiver's incarnation as the sender knows it."""

    card: NodeCard
    echo: str | None
    known: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Goodbye:
    card: NodeCard
    echo: str


@dataclass(frozen=True, slots=True)
class PeerDeliveries:
    """Between supervisors: messages for processes of the receiver, in this life of it."""

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
    budget: float | None


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """The supervisor runs; its address and the node's private directory."""

    address: Address
    supervisor_pid: int
    admin_pid: int
    system_pid: int
    directory: str


@dataclass(frozen=True, slots=True)
class NodeNotStarted:
    reason: str
