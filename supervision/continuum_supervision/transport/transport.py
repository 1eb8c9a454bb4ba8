"""Thespian's TCP transport with every frame sealed; `install` it before an ActorSystem starts.

One message, step by step:

1. The sending process pickles the message together with its own address and seals it for the port of the
   receiver (`serializer`). Thespian's own code connects and sends the frame.
2. The receiver reads a header, no more (`_handleReadableIncoming`, `FrameBuffer`). If the header was not
   sealed with the cookie, or names a port at which this process does not listen, the connection is closed and
   logged as a refused peer. The peer gets no answer.
3. The receiver reads the body and opens it (`_addedDataToIncoming`). A body that was altered is refused in
   the same way.
4. The replay window decides whether the frame is new. A frame seen before is acknowledged and otherwise
   ignored, because its sender may have missed the acknowledgement and tried again.
5. Only now is the body unpickled. If that fails, the sender is an honest peer that runs other code: it gets
   `UNREADABLE`, and the receiver logs an error.
6. The receiver seals an acknowledgement that names the frame, sends it over the same connection and gives the
   message to the actor.
7. The sender opens the acknowledgement (`_check_XMIT_4_done`). One that is refused, or that names another
   frame, makes it pause and send again. Instead of the acknowledgement it may read a message that the
   receiver sent at the same moment over the same connection: that one continues with step 3.

Sockets bind to loopback. If the node has a bind address, the root supervisor alone listens there, at exactly
that port, so the one exposed port is known. Forked processes inherit all of this. The classes that are
replaced here are internals of one Thespian release; any other release is refused before anything starts.
"""

# Thespian has no types; what pyright guesses from its source is wrong for what a subclass may do.
# pyright: reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false

import importlib.metadata
import os
import pickle
from typing import Any, ClassVar

import thespian.system.multiprocTCPBase as tcp_base  # noqa: N813
import thespian.system.transport.TCPTransport as stock  # noqa: N813
from thespian.actors import ActorAddress
from thespian.system.addressManager import ActorLocalAddress
from thespian.system.transport import ReceiveEnvelope, SendStatus
from thespian.system.transport.IPBase import IPActorAddress, TCPv4ActorAddress

from continuum_supervision.errors import TransportUnexpected
from continuum_supervision.transport.frame_buffer import FrameBuffer
from continuum_supervision.transport.limits import UNFINISHED_FRAME_S, UNFINISHED_FRAMES_MAX
from continuum_supervision.transport.refused_peers import RefusedPeerLog
from continuum_supervision.transport.seal import FrameKind, FrameRefused, Seal, frame_id_of
from continuum_supervision.transport.thespian_version import EXPECTED_VERSION, differing_internals
from continuum_supervision.transport.trusted_pickle import unpickled

LOOPBACK = "127.0.0.1"


class _Installed:
    """The state of the transport in this process and in the processes that it forks."""

    seal: ClassVar[Seal | None] = None
    cookie: ClassVar[bytes] = b""
    exposed: ClassVar[tuple[str, int] | None] = None
    refused_peers: ClassVar[RefusedPeerLog] = RefusedPeerLog()
    ports: ClassVar[set[int]] = set()
    ports_pid: ClassVar[int] = 0
    starter: ClassVar["SealedTCPTransport | None"] = None


def install(cookie: bytes, *, exposed: tuple[str, int] | None = None) -> None:
    """Replace Thespian's transport in this process; a second call with the same settings changes nothing."""
    if _Installed.seal is not None:
        if (_Installed.cookie, _Installed.exposed) != (cookie, exposed):
            raise TransportUnexpected(
                "the transport of this process is sealed already, with other settings: use another process"
            )
        return
    _refuse_other_thespian()
    # Without this Thespian opens a socket towards a public name server to find our interface.
    os.environ["THESPIAN_BASE_IPADDR"] = LOOPBACK
    IPActorAddress.bindArgs = property(lambda self: (self.sockname,))
    stock.MAX_INCOMING_SOCKET_PERIOD = stock.timedelta(seconds=UNFINISHED_FRAME_S)
    stock.ReceiveBuffer = lambda _stock_loads: _new_buffer()
    stock.serializer = _NoStockSerializer()
    tcp_base.ActorSystemBase.transportType = SealedTCPTransport
    _Installed.seal, _Installed.cookie, _Installed.exposed = Seal(cookie), cookie, exposed


def _refuse_other_thespian() -> None:
    version = importlib.metadata.version("thespian")
    if version != EXPECTED_VERSION:
        raise TransportUnexpected(
            f"thespian {version} is installed, the sealed transport is made for {EXPECTED_VERSION}: "
            f"run `pip install thespian=={EXPECTED_VERSION}`"
        )
    differing = differing_internals()
    if differing:
        raise TransportUnexpected(
            f"thespian {version} is not as published, {', '.join(differing)} differ: reinstall it with "
            f"`pip install --force-reinstall thespian=={EXPECTED_VERSION}`"
        )


def close_starter_transport() -> None:
    """Close the socket that an ActorSystem was started through: forked processes inherit it, unread."""
    if _Installed.starter is not None:
        _Installed.starter.close()
        _Installed.starter = None


class _NoStockSerializer:
    """Replaces `pickle` in Thespian: a path overlooked here fails instead of unpickling unsealed bytes."""

    @staticmethod
    def loads(_data: bytes) -> object:
        raise FrameRefused("an unsealed path was taken")

    @staticmethod
    def dumps(_data: object) -> bytes:
        raise FrameRefused("an unsealed path was taken")


def _installed_seal() -> Seal:
    assert _Installed.seal is not None, "the transport was used before it was sealed"
    return _Installed.seal


def _listening_ports() -> set[int]:
    # A forked process listens at its own port only and must not accept its parent's frames.
    if _Installed.ports_pid != os.getpid():
        _Installed.ports, _Installed.ports_pid = set(), os.getpid()
    return _Installed.ports


def _new_buffer() -> FrameBuffer:
    return FrameBuffer(_installed_seal(), _listening_ports())


def _peer_of(connection: Any) -> str:
    try:
        host, port = connection.getpeername()[:2]
    except OSError:
        return "a peer that has gone"
    return f"{host}:{port}"


class SealedTCPTransport(stock.TCPTransport):  # type: ignore[misc]
    """Thespian's TCP transport with sealed frames of limited size, on sockets at known addresses."""

    def __init__(self, initType: Any, *args: Any) -> None:  # noqa: N803 - Thespian's name
        super().__init__(initType, *args)
        host, port = self.socket.getsockname()
        allowed = {(LOOPBACK, port), _Installed.exposed}
        if (host, port) not in allowed:
            self.socket.close()
            raise TransportUnexpected(
                f"a socket was about to listen on {host}:{port}: this Thespian binds in a new way"
            )
        _listening_ports().add(port)
        if isinstance(initType, stock.ExternalInterfaceTransportInit):
            _Installed.starter = self

    def prepEndpoint(self, assignedLocalAddr: Any, capabilities: Any) -> Any:  # noqa: N802, N803
        """Give the admin's first actor, the root supervisor, the exposed address and all others loopback."""
        endpoint = super().prepEndpoint(assignedLocalAddr, capabilities)
        instance, _assigned, *rest = endpoint.args
        is_root = self.myAddress == self._adminAddr and isinstance(
            assignedLocalAddr.addressDetails, ActorLocalAddress
        )
        if _Installed.exposed is None or not is_root:
            return endpoint
        host, port = _Installed.exposed
        return stock.TCPEndpoint(instance, ActorAddress(TCPv4ActorAddress(host, port)), *rest)

    def external_transport_clone(self) -> "SealedTCPTransport":
        """Make a sealed clone: the stock method would make an unsealed one."""
        return SealedTCPTransport(stock.ExternalTransportCopy(), self._adminAddr, self.txOnly, False)

    def serializer(self, intent: Any) -> bytes:
        body = pickle.dumps((self.myAddress, intent.message), pickle.HIGHEST_PROTOCOL)
        return _installed_seal().seal(FrameKind.DATA, _port_of(intent.targetAddr), body)

    def _check_XMIT_4_done(self, intent: Any, rcv: bytes) -> bool:  # noqa: N802
        """Read what follows a frame that was sent: its acknowledgement, or a frame that crossed it."""
        buffer: FrameBuffer = intent.ackbuf
        try:
            buffer.addMore(rcv)
            if not buffer.isDone():
                return True
            header, body = buffer.open()
        except FrameRefused as refusal:
            _Installed.refused_peers.refused(_peer_of(intent.socket), str(refusal))
            return self._retry_later(intent)
        if header.kind is FrameKind.DATA:
            intent.ackbuf = _new_buffer()
            crossed = stock.TCPIncomingPersistent(intent.targetAddr, intent.socket, buffer)
            self._addedDataToIncoming(crossed, skipFinish=True)
            return True if crossed.socket is not None else self._retry_later(intent)
        if body != frame_id_of(intent.serMsg):
            _Installed.refused_peers.refused(_peer_of(intent.socket), "it acknowledges another frame")
            return self._retry_later(intent)
        intent.result = SendStatus.Sent if header.kind is FrameKind.ACKNOWLEDGED else SendStatus.BadPacket
        intent.extraRead = b""
        intent.stage = self._XMITStepFinishCleanup
        return bool(self._nextTransmitStep(intent))

    def _retry_later(self, intent: Any) -> bool:
        intent.backoffPause(True)
        intent.stage = self._XMITStepRetry
        return bool(self._nextTransmitStep(intent))

    def _acceptNewIncoming(self) -> None:  # noqa: N802
        super()._acceptNewIncoming()
        while len(self._incomingSockets) > UNFINISHED_FRAMES_MAX:
            oldest = next(iter(self._incomingSockets))
            incoming = self._incomingSockets.pop(oldest)
            _Installed.refused_peers.refused(
                _peer_of(incoming.socket), "too many connections are open and say nothing"
            )
            incoming.close()

    def _handlePossibleIncoming(  # noqa: N802
        self,
        incomingSocket: Any,  # noqa: N803
        fileno: int,
        closed: bool = False,
        has_exclusive_flag: bool = False,
    ) -> Any:
        # The stock code reads an overdue socket once more instead of closing it, and then drops its timer.
        if not closed and incomingSocket.socket and incomingSocket._expires.view().expired():
            _Installed.refused_peers.refused(
                _peer_of(incomingSocket.socket), "its frame was not finished in time"
            )
            incomingSocket.close()
            return None
        return super()._handlePossibleIncoming(incomingSocket, fileno, closed, has_exclusive_flag)

    def _handleReadableIncoming(self, inc: Any, has_exclusive_flag: bool = False) -> Any:  # noqa: N802
        try:
            data = inc.socket.recv(min(1_024_000, inc.remainingSize()))
        except BlockingIOError:
            return inc
        except OSError:
            inc.close()
            return None
        if not data:
            if inc._rData.is_partial():
                _Installed.refused_peers.refused(_peer_of(inc.socket), "it left in the middle of a frame")
            inc.close()
            return None
        try:
            inc.addData(data)
        except FrameRefused as refusal:
            return self._refuse(inc, str(refusal))
        return self._addedDataToIncoming(inc, has_exclusive_flag=has_exclusive_flag)

    def _addedDataToIncoming(  # noqa: N802
        self,
        inc: Any,
        skipFinish: bool = False,  # noqa: N803
        has_exclusive_flag: bool = False,
    ) -> Any:
        """Open a complete frame, acknowledge it and deliver it, once."""
        if not inc.receivedAllData():
            return inc
        buffer: FrameBuffer = inc._rData
        try:
            header, body = buffer.open()
            if header.kind is not FrameKind.DATA:
                raise FrameRefused("it acknowledges what was not sent on this connection")
        except FrameRefused as refusal:
            return self._refuse(inc, str(refusal))
        if not buffer.accept_once():
            # Its sender may have missed our acknowledgement and tried again: only acknowledge it again.
            _Installed.refused_peers.refused(_peer_of(inc.socket), "it showed a frame a second time")
            self._acknowledge(inc, FrameKind.ACKNOWLEDGED, header.frame_id)
            inc.close()
            return None
        try:
            sender, message = sender_and_message(unpickled(body))
        except Exception as error:  # noqa: BLE001 - unpickling runs any code
            # It was sealed with our cookie, so the sender is an honest peer that runs other code than we do.
            stock.thesplog(
                "a message cannot be read here (%s): do all nodes run the same code?",
                error,
                level=stock.logging.ERROR,
            )
            self._acknowledge(inc, FrameKind.UNREADABLE, header.frame_id)
            inc.close()
            return None
        self._acknowledge(inc, FrameKind.ACKNOWLEDGED, header.frame_id)
        inc.fromAddress = sender
        self._processReceivedEnvelope(ReceiveEnvelope(sender, message), has_exclusive_flag=has_exclusive_flag)
        if not skipFinish:
            self._finishIncoming(inc, sender)
        return None

    def _acknowledge(self, inc: Any, kind: FrameKind, frame_id: bytes) -> None:
        try:
            inc.socket.send(_installed_seal().seal(kind, 0, frame_id))
        except OSError:
            # The sender has gone or does not read: it tries again, or it is dead.
            stock.thesplog("%s took no acknowledgement", inc.fromAddress, level=stock.logging.INFO)

    def _refuse(self, inc: Any, reason: str) -> None:
        _Installed.refused_peers.refused(_peer_of(inc.socket), reason)
        inc.close()


def sender_and_message(unpickled_body: object) -> tuple[ActorAddress, object]:
    """Return sender and message of a body; Thespian's own code would fail on a sender that is no address."""
    match unpickled_body:
        case (ActorAddress() as sender, message):
            return sender, message
        case _:
            raise ValueError("it names no sender")


def _port_of(address: Any) -> int:
    return int(address.addressDetails.sockname[1])
