"""Receives one sealed frame from a stream; replaces Thespian's ReceiveBuffer.

It requests from the socket exactly the bytes that are missing, so it never reads into the next frame.
"""

from collections.abc import Container

from continuum_supervision.transport.seal import HEADER_BYTES, FrameHeader, FrameKind, FrameRefused, Seal


class FrameBuffer:
    """One frame, partly received. `header` is None until enough has arrived to check it."""

    def __init__(self, seal: Seal, listening_ports: Container[int]) -> None:
        self._seal = seal
        self._listening_ports = listening_ports
        self._received = bytearray()
        self.header: FrameHeader | None = None

    def addMore(self, data: bytes) -> None:  # noqa: N802 - Thespian's name
        """Add what the socket returned, at most `remainingAmount` bytes."""
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
        """Open the complete frame. This does not check for a replay: see `accept_once`."""
        assert self.header is not None
        return self.header, self._seal.open_body(self.header, bytes(self._received))

    def accept_once(self) -> bool:
        """Accept the frame; False if it was accepted before."""
        assert self.header is not None
        return self._seal.accept_once(self.header)
