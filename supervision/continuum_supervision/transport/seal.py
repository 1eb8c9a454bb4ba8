"""The seal: frames with authenticated encryption and a replay window. No sockets, no pickle.

A frame is `header | header tag | body | body tag`. The header has a tag of its own, so the length that a peer
without the cookie announces is never trusted and no memory is allocated for it. Each sending process derives
its own key (HKDF-SHA256 of the cookie, salted with a random session), so the counter alone is a unique nonce:
no two processes use the same pair of key and nonce.

The seal protects against reading, forging and altering frames without the cookie; against executing a
captured frame twice; and against executing it at another port than the one it was sent to. It does not
protect against replaying a frame that was captured before its receiver restarted, at the new process on the
same port: replay windows are kept in memory only. For that reason messages between supervisors name the
receiver's incarnation. Every process that has the cookie is trusted.
"""

import os
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from continuum_supervision.transport.limits import (
    FRAME_BODY_MAX_BYTES,
    REPLAY_WINDOW_FRAMES,
    SESSIONS_REMEMBERED,
)

SESSION_BYTES = 16
_TAG_BYTES = 16
_MAGIC = b"CTM1"
# magic, kind, target port, body length, session, counter
_HEADER = struct.Struct(f"!4sBHI{SESSION_BYTES}sQ")
HEADER_BYTES = _HEADER.size + _TAG_BYTES
_HEADER_NONCE, _BODY_NONCE = b"head", b"body"
_NONCE_COUNTER = struct.Struct("!Q")


class FrameRefused(Exception):
    """A frame was not sealed with our cookie, was sent to another process, or is a replay."""


class FrameKind(IntEnum):
    DATA = 1
    ACKNOWLEDGED = 2
    UNREADABLE = 3


@dataclass(frozen=True, slots=True)
class FrameHeader:
    kind: FrameKind
    target_port: int
    body_bytes: int
    session: bytes
    counter: int

    @property
    def frame_id(self) -> bytes:
        """The name of this frame, unique among all frames ever sealed with the cookie."""
        return self.session + _NONCE_COUNTER.pack(self.counter)

    @property
    def sealed_body_bytes(self) -> int:
        return self.body_bytes + _TAG_BYTES


class ReplayWindow:
    """The counters of one session that were seen: the highest, and a bitmap of those below it."""

    __slots__ = ("_bitmap", "_highest")

    def __init__(self) -> None:
        self._highest = 0
        self._bitmap = 0

    def accept(self, counter: int) -> bool:
        """Mark a counter as seen; False if it was seen before or is too old to tell."""
        if counter > self._highest:
            shift = counter - self._highest
            kept = self._bitmap << shift if shift < REPLAY_WINDOW_FRAMES else 0
            self._bitmap = (kept | 1) & ((1 << REPLAY_WINDOW_FRAMES) - 1)
            self._highest = counter
            return True
        behind = self._highest - counter
        if behind >= REPLAY_WINDOW_FRAMES or self._bitmap >> behind & 1:
            return False
        self._bitmap |= 1 << behind
        return True


class Seal:
    """Seals what this process sends and opens what it receives."""

    def __init__(self, cookie: bytes, *, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._cookie = cookie
        self._random_bytes = random_bytes
        self._owner = 0
        self._session = b""
        self._counter = 0
        self._sender = AESGCM(bytes(32))
        self._sessions: OrderedDict[bytes, tuple[AESGCM, ReplayWindow]] = OrderedDict()

    def seal(self, kind: FrameKind, target_port: int, body: bytes) -> bytes:
        """Seal one frame for the process that listens on the port."""
        if len(body) > FRAME_BODY_MAX_BYTES:
            raise ValueError(
                f"a control message of {len(body)} bytes is over the limit of {FRAME_BODY_MAX_BYTES}: "
                f"send a reference to the data"
            )
        self._renew_after_fork()
        self._counter += 1
        header = _HEADER.pack(_MAGIC, kind, target_port, len(body), self._session, self._counter)
        number = _NONCE_COUNTER.pack(self._counter)
        tag = self._sender.encrypt(_HEADER_NONCE + number, b"", header)
        return header + tag + self._sender.encrypt(_BODY_NONCE + number, body, header)

    def open_header(self, sealed: bytes) -> FrameHeader:
        """Check a header; its fields are trusted only after its tag is verified."""
        self._renew_after_fork()
        packed, tag = sealed[: _HEADER.size], sealed[_HEADER.size :]
        magic, kind, target_port, body_bytes, session, counter = _HEADER.unpack(packed)
        if magic != _MAGIC:
            raise FrameRefused("it does not speak this protocol")
        known = self._sessions.get(session)
        cipher = known[0] if known else self._session_cipher(session)
        try:
            cipher.decrypt(_HEADER_NONCE + _NONCE_COUNTER.pack(counter), tag, packed)
        except InvalidTag:
            raise FrameRefused("it is not sealed with this node's cookie") from None
        if body_bytes > FRAME_BODY_MAX_BYTES:
            raise FrameRefused(f"it announces {body_bytes} bytes")
        if known is None:
            self._remember(session, cipher)
        return FrameHeader(FrameKind(kind), target_port, body_bytes, session, counter)

    def open_body(self, header: FrameHeader, sealed_body: bytes) -> bytes:
        """Check and decrypt a body. This does not check for a replay: see `accept_once`."""
        packed = _HEADER.pack(
            _MAGIC, header.kind, header.target_port, header.body_bytes, header.session, header.counter
        )
        cipher, _ = self._known(header)
        try:
            return cipher.decrypt(_BODY_NONCE + _NONCE_COUNTER.pack(header.counter), sealed_body, packed)
        except InvalidTag:
            raise FrameRefused("its body was altered") from None

    def accept_once(self, header: FrameHeader) -> bool:
        """Mark an opened frame as seen; False if it was seen before."""
        return self._known(header)[1].accept(header.counter)

    def _known(self, header: FrameHeader) -> tuple[AESGCM, ReplayWindow]:
        known = self._sessions.get(header.session)
        if known is None:  # dropped for thousands of other sessions between header and body
            return self._remember(header.session, self._session_cipher(header.session))
        self._sessions.move_to_end(header.session)
        return known

    def _remember(self, session: bytes, cipher: AESGCM) -> tuple[AESGCM, ReplayWindow]:
        if len(self._sessions) >= SESSIONS_REMEMBERED:
            self._sessions.popitem(last=False)
        known = self._sessions[session] = (cipher, ReplayWindow())
        return known

    def _renew_after_fork(self) -> None:
        # A forked process must not continue its parent's counter: it would use the same nonces again.
        if self._owner == os.getpid():
            return
        self._owner = os.getpid()
        self._session = self._random_bytes(SESSION_BYTES)
        self._counter = 0
        self._sender = self._session_cipher(self._session)
        self._sessions = OrderedDict()

    def _session_cipher(self, session: bytes) -> AESGCM:
        derivation = HKDF(algorithm=SHA256(), length=32, salt=session, info=b"continuum transport 1")
        return AESGCM(derivation.derive(self._cookie))


def frame_id_of(sealed: bytes) -> bytes:
    """Return the name of a frame that this process has sealed itself."""
    _, _, _, _, session, counter = _HEADER.unpack_from(sealed)
    return bytes(session) + _NONCE_COUNTER.pack(counter)
