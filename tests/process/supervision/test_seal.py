"""The seal without sockets: frames that open, frames that are refused, replays."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuum_supervision.transport.frame_buffer import FrameBuffer
from continuum_supervision.transport.limits import FRAME_BODY_MAX_BYTES, REPLAY_WINDOW_FRAMES
from continuum_supervision.transport.seal import HEADER_BYTES, FrameKind, FrameRefused, ReplayWindow, Seal

COOKIE = b"a cookie of at least 32 bytes, really"
PORT = 4711


def received(sealed: bytes, *, seal: Seal | None = None) -> bytes:
    buffer = FrameBuffer(seal or Seal(COOKIE), {PORT})
    at = 0
    while not buffer.isDone():
        step = sealed[at : at + buffer.remainingAmount()]
        if not step:
            raise AssertionError("the frame ended too soon")
        buffer.addMore(step)
        at += len(step)
    assert at == len(sealed)
    return buffer.open()[1]


@given(st.binary(max_size=2000))
def test_a_sealed_body_is_opened_with_the_same_cookie(body: bytes) -> None:
    assert received(Seal(COOKIE).seal(FrameKind.DATA, PORT, body)) == body


@given(st.data())
def test_a_single_altered_bit_anywhere_is_refused(data: st.DataObject) -> None:
    sealed = bytearray(Seal(COOKIE).seal(FrameKind.DATA, PORT, b"a body"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameRefused):
        received(bytes(sealed))


def test_another_cookie_is_refused_at_the_header() -> None:
    sealed = Seal(b"another cookie of at least 32 bytes!!").seal(FrameKind.DATA, PORT, b"a body")
    with pytest.raises(FrameRefused, match="not sealed with this node's cookie"):
        received(sealed[:HEADER_BYTES])


def test_a_frame_for_another_port_is_refused() -> None:
    with pytest.raises(FrameRefused, match="another port"):
        received(Seal(COOKIE).seal(FrameKind.DATA, PORT + 1, b"a body"))


def test_a_frame_is_accepted_once() -> None:
    receiver = Seal(COOKIE)
    header = receiver.open_header(Seal(COOKIE).seal(FrameKind.DATA, PORT, b"")[:HEADER_BYTES])
    assert receiver.accept_once(header)
    assert not receiver.accept_once(header)


@given(st.lists(st.integers(1, 3 * REPLAY_WINDOW_FRAMES)))
def test_the_window_accepts_every_recent_counter_exactly_once(
    counters: list[int],
) -> None:
    window = ReplayWindow()
    seen: set[int] = set()
    for counter in counters:
        recent = counter > max(seen, default=0) - REPLAY_WINDOW_FRAMES
        assert window.accept(counter) == (counter not in seen and recent)
        seen.add(counter)


def test_a_forked_process_seals_with_its_own_session() -> None:
    seal = Seal(COOKIE)
    before = seal.seal(FrameKind.DATA, PORT, b"")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, seal.seal(FrameKind.DATA, PORT, b""))
        os._exit(0)
    os.close(write)
    child = os.read(read, 1000)
    os.close(read)
    os.waitpid(pid, 0)
    opener = Seal(COOKIE)
    assert (
        opener.open_header(before[:HEADER_BYTES]).session != opener.open_header(child[:HEADER_BYTES]).session
    )


def test_a_message_that_is_too_large_raises_in_the_sender() -> None:
    with pytest.raises(ValueError, match="send a reference"):
        Seal(COOKIE).seal(FrameKind.DATA, PORT, bytes(FRAME_BODY_MAX_BYTES + 1))
