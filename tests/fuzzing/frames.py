"""Frames of the transport between processes, read as a socket brings them, and the cookie's text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from continuum_supervision.errors import CookieUnusable
from continuum_supervision.transport.cookie import checked_cookie, find_cookie
from continuum_supervision.transport.frame_buffer import FrameBuffer
from continuum_supervision.transport.limits import COOKIE_MIN_BYTES, FRAME_BODY_MAX_BYTES
from continuum_supervision.transport.seal import FrameKind, FrameRefused, Seal
from tests.fuzzing.mutation import Mutator
from tests.fuzzing.target import Broken, Target

_PORT = 4711
_COOKIE = b"k" * COOKIE_MIN_BYTES
_BODIES = (b"", b"x", b"hello " * 20, b"\x80\x04." * 8)


def _seal(cookie: bytes, salt: bytes) -> Seal:
    """Return a seal that makes the same frames in every process."""
    return Seal(cookie, random_bytes=lambda size: hashlib.sha256(salt).digest()[:size])


class Frames(Target):
    """A receiver; what it opens must be a frame that a sender with the cookie has sealed, once."""

    name = "frames"

    def __init__(self) -> None:
        self._receiver = _seal(_COOKIE, b"receiver")
        sender = _seal(_COOKIE, b"sender")
        self._sealed = {
            sender.seal(kind, port, body): body
            for kind in FrameKind
            for port in (_PORT, 9)
            for body in _BODIES
        }

    def seeds(self) -> Sequence[bytes]:
        stranger = _seal(b"z" * COOKIE_MIN_BYTES, b"stranger")
        return [*self._sealed, stranger.seal(FrameKind.DATA, _PORT, b"hello")]

    def mutate(self, mutator: Mutator, data: bytes, others: Sequence[bytes]) -> bytes:
        # One in eight stays whole, to be read a second time.
        return data if mutator.random.randrange(8) == 0 else mutator.bytes_of(data, others)

    def read(self, data: bytes) -> None:
        buffer = FrameBuffer(self._receiver, {_PORT})
        rest = data
        try:
            while rest and not buffer.isDone():
                wanted = buffer.remainingAmount()
                if not 0 < wanted <= FRAME_BODY_MAX_BYTES + 64:
                    raise Broken(f"it asks for {wanted} bytes")
                buffer.addMore(rest[:wanted])
                rest = rest[wanted:]
            if not buffer.isDone():
                return
            header, body = buffer.open()
            buffer.accept_once()
        except FrameRefused:
            return
        frame = data[: len(data) - len(rest)]
        if self._sealed.get(frame) != body or (header.kind is FrameKind.DATA and header.target_port != _PORT):
            raise Broken("it opened what nobody has sealed for it")
        if buffer.accept_once():
            raise Broken("it accepted a frame twice")


class Cookies(Target):
    """The text of a cookie, from a file or the environment."""

    name = "cookies"

    def seeds(self) -> Sequence[bytes]:
        return [_COOKIE, b" " + _COOKIE + b"\r\n", b"short", "ключ".encode() * 8, _COOKIE * 64]

    def read(self, data: bytes) -> None:
        try:
            cookie = checked_cookie(data, origin="a test")
            if len(cookie) < COOKIE_MIN_BYTES:
                raise Broken("it took a short cookie")
            found = find_cookie(None, {"CONTINUUM_COOKIE": data.decode("utf-8", "surrogateescape")})
            if found is not None and len(found) < COOKIE_MIN_BYTES:
                raise Broken("it took a short cookie")
        except CookieUnusable:
            return
