"""A peer without the cookie can neither reach a process of a node nor disturb it."""

import os
import pickle
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from continuum_supervision.process.launcher import ProcessSystem
from continuum_supervision.process.spec import ProcessSpec
from continuum_supervision.transport.seal import HEADER_BYTES, FrameKind, Seal
from tests.process.supervision import process_mains
from tests.process.supervision.observing import (
    DEADLINE_S,
    StartNode,
    await_report,
    free_port,
    listening_sockets,
    pid_of,
    pids_of,
)

COOKIE = b"a cookie of at least 32 bytes, really"


class Exploit:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._mark),)


def assert_answers(node: ProcessSystem) -> None:
    node.send("one", ("send", "two", ("ping", 5)))
    await_report(node, ("pong", 5, pid_of(node, "two")))


def ports_of(node: ProcessSystem) -> dict[str, tuple[str, int]]:
    """Find the addresses at which the admin, the supervisor and a process actor listen."""
    pids = {**node.own_pids(), "one": pid_of(node, "one")}
    listening = {name: listening_sockets(pids[name]) for name in ("admin", "supervisor", "one")}
    assert all(len(addresses) == 1 for addresses in listening.values())
    return {name: addresses.pop() for name, addresses in listening.items()}


def is_dropped(address: tuple[str, int], sent: bytes, *, finish: bool = False) -> bool:
    """Whether the connection is closed without an answer after these bytes."""
    with socket.create_connection(address, timeout=DEADLINE_S) as connection:
        try:
            connection.sendall(sent)
            if finish:
                connection.shutdown(socket.SHUT_WR)
            return connection.recv(1024) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True


@pytest.fixture
def node(start_node: StartNode) -> ProcessSystem:
    node = start_node(
        ProcessSpec("one", process_mains.echo), ProcessSpec("two", process_mains.echo), cookie=COOKIE
    )
    node.wait_ready(DEADLINE_S)
    return node


def stock_frame(message: object) -> bytes:
    pickled = pickle.dumps(message)
    return b"%d>" % len(pickled) + pickled


def test_bytes_without_the_cookie_are_dropped_at_every_socket_and_run_nothing(
    node: ProcessSystem, tmp_path: Path
) -> None:
    mark = tmp_path / "executed"
    other_seal = Seal(b"another cookie of at least 32 bytes!")
    for name, address in ports_of(node).items():
        port = address[1]
        exploit = pickle.dumps((None, Exploit(mark)))
        wrong_cookie = other_seal.seal(FrameKind.DATA, port, exploit)
        forged_length = b"CTM1" + struct.pack("!BHI16sQ", 1, port, 2**32 - 1, bytes(16), 1) + bytes(16)
        for bytes_sent in (
            stock_frame(Exploit(mark)),
            b"9" * 4096,
            b"99999999999>" * 10,
            wrong_cookie,
            forged_length,
        ):
            assert is_dropped(address, bytes_sent), name
        assert is_dropped(address, wrong_cookie[: HEADER_BYTES - 7], finish=True), name
    assert not mark.exists()
    assert_answers(node)


def test_an_altered_body_is_dropped_before_it_is_unpickled(node: ProcessSystem, tmp_path: Path) -> None:
    address = ports_of(node)["one"]
    sealed = bytearray(
        Seal(COOKIE).seal(FrameKind.DATA, address[1], pickle.dumps((None, Exploit(tmp_path / "executed"))))
    )
    sealed[-1] ^= 1
    assert is_dropped(address, bytes(sealed))
    assert not (tmp_path / "executed").exists()


def test_a_captured_frame_runs_once_and_nowhere_else(node: ProcessSystem, tmp_path: Path) -> None:
    ports = ports_of(node)
    mark = tmp_path / "executed"
    captured = Seal(COOKIE).seal(FrameKind.DATA, ports["one"][1], pickle.dumps((None, Exploit(mark))))
    with socket.create_connection(ports["one"], timeout=DEADLINE_S) as first:
        first.sendall(captured)
        first.recv(1024)
    assert mark.is_dir(), "a frame with the cookie must execute, or this test proves nothing"
    mark.rmdir()
    for address in ports.values():
        with socket.create_connection(address, timeout=DEADLINE_S) as again:
            again.sendall(captured)
            try:
                while again.recv(1024):
                    pass
            except ConnectionResetError:
                pass
    assert not mark.exists()
    assert_answers(node)


def test_silent_connections_do_not_block_the_node(node: ProcessSystem) -> None:
    with silent_connections(ports_of(node)["supervisor"], 400):
        assert_answers(node)


def test_a_large_announced_body_takes_no_memory(node: ProcessSystem) -> None:
    address = ports_of(node)["supervisor"]
    before = resident_bytes(node.own_pids()["supervisor"])
    header = Seal(b"another cookie of at least 32 bytes!").seal(FrameKind.DATA, address[1], b"x" * 1000)[
        :HEADER_BYTES
    ]
    assert is_dropped(address, header + bytes(10_000_000))
    assert resident_bytes(node.own_pids()["supervisor"]) - before < 4_000_000


def test_refused_peers_are_logged_once(start_node: StartNode, capfd: pytest.CaptureFixture[str]) -> None:
    node = start_node(ProcessSpec("one", process_mains.echo))
    node.wait_ready(DEADLINE_S)
    address = ports_of(node)["one"]
    for _ in range(20):
        assert is_dropped(address, b"9" * 100)
    node.shutdown(DEADLINE_S)
    assert capfd.readouterr().err.count("dropped a connection from 127.0.0.1") == 1


def test_nothing_listens_outside_loopback(node: ProcessSystem) -> None:
    listening = {address for pid in pids_of(node) for address in listening_sockets(pid)}
    assert len(listening) >= 4
    assert {host for host, _ in listening} == {"127.0.0.1"}


def test_only_the_bound_port_listens_at_the_bound_address(start_node: StartNode) -> None:
    # Another loopback address stands for an interface that others can reach.
    bound = ("127.0.0.2", free_port())
    node = start_node(ProcessSpec("one", process_mains.echo), bind=bound, cookie=COOKIE)
    node.wait_ready(DEADLINE_S)
    assert node.address == bound
    listening = {address for pid in pids_of(node) for address in listening_sockets(pid)}
    assert {address for address in listening if address[0] != "127.0.0.1"} == {bound}


@contextmanager
def silent_connections(address: tuple[str, int], count: int) -> Iterator[None]:
    with ExitStack() as opened:
        for _ in range(count):
            opened.enter_context(socket.create_connection(address, timeout=DEADLINE_S))
        yield


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
