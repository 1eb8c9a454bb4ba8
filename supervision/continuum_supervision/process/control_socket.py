"""The socket between launcher and root supervisor: length-prefixed pickles over an inherited socket pair.

No other process can reach it, so nothing is sealed here. Its end of file tells each side that the other is
gone.
"""

import pickle
import socket
import struct

from continuum_supervision.transport.trusted_pickle import unpickled

_LENGTH = struct.Struct("!I")


class ControlWriter:
    """Sends without blocking; what the socket does not accept yet is kept for the next flush."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._unsent = bytearray()

    def send(self, message: object) -> None:
        body = pickle.dumps(message)
        self._unsent += _LENGTH.pack(len(body)) + body
        self.flush()

    def flush(self) -> None:
        while self._unsent:
            try:
                sent = self._connection.send(self._unsent, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                # The other side is gone. The reader of this socket notices that; drop what was for it.
                self._unsent.clear()
                return
            del self._unsent[:sent]


class ControlReader:
    """Collects what arrives and returns whole messages."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()

    def read_available(self) -> tuple[list[object], bool]:
        """Read without blocking; returns the whole messages, and whether the other side is still there."""
        present = True
        while True:
            try:
                data = self._connection.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            if not data:
                present = False
                break
            self._received += data
        return self._whole_messages(), present

    def _whole_messages(self) -> list[object]:
        messages = []
        while len(self._received) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._received)
            if len(self._received) < _LENGTH.size + length:
                break
            messages.append(unpickled(bytes(self._received[_LENGTH.size : _LENGTH.size + length])))
            del self._received[: _LENGTH.size + length]
        return messages


def send_block(connection: socket.socket, body: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(body)) + body)
