"""Receives one sealed frame from a stream; stands where Thespian's ReceiveBuffer stood.

It asks the socket for exactly what is still missing, so a frame never runs into the next one.
"""

from collections.abc import Container

from continuum_supervision.transport.seal import HEADER_BYTES, FrameHeader, FrameKind, FrameRefused, Seal


class FrameBuffer:
    """One frame in the making. `header` is None until enough has arrived to check it."""

    def __init__(self, seal: Seal, listening_ports: Container[int]) -> None:
        self._seal = seal
        self._listening_ports = listening_ports
        self._received = bytearray()
        self.header: FrameHeader | None = None

    def addMore(self, data: bytes) -> None:  # noqa: N802 - Thespian's name
        """Take what a socket gave, at most what `remainingAmount` asked for."""
        self._received += data
        if self.header is None and len(self._received) >= HEADER_BYTES:
            header = self._seal.open_header(bytes(self._received[:HEADER_BYTES]))
            if header.kind is FrameKind.DATA and header.target_port not in self._listening_ports:
                raise FrameRefused("it was sealed for another port")
            self.header = header
            del self._received[:HEADER_BYTES]

    def remainingAmount(self) -> int:  # noqa: N802 - Thespian's name
        if self.header is None:
            return HEADER_BYTES - len(self._received)
        return self.header.sealed_body_bytes - len(self._received)

    def isDone(self) -> bool:  # noqa: N802 - Thespian's name
        return self.header is not None and self.remainingAmount() <= 0

    def is_partial(self) -> bool:
        return self.header is not None or bool(self._received)

    def open(self) -> tuple[FrameHeader, bytes]:
        """Open the complete frame; who calls this twice opens it twice, acceptance is separate."""
        assert self.header is not None
        return self.header, self._seal.open_body(self.header, bytes(self._received))

    def accept_once(self) -> bool:
        assert self.header is not None
        return self._seal.accept_once(self.header)
