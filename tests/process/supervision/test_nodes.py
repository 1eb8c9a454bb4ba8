"""Nodes that join each other on loopback ports: membership, messages, refusals."""

import os
import signal
import socket

import pytest

from continuum_supervision.errors import ProcessSystemError
from continuum_supervision.process.events import JoinUnanswered, PeerDown, PeerUp
from continuum_supervision.process.launcher import ProcessSystem
from continuum_supervision.process.spec import ProcessSpec
from tests.process.supervision import process_mains
from tests.process.supervision.observing import (
    DEADLINE_S,
    StartNode,
    await_event,
    await_notice,
    await_report,
    free_port,
)

COOKIE = b"a cookie of at least 32 bytes, really"
OTHER_COOKIE = b"another cookie of at least 32 bytes!!"


def cluster_node(start_node: StartNode, name: str, port: int, **options: object) -> ProcessSystem:
    spec = ProcessSpec("control", process_mains.echo, watches_siblings=True)
    node: ProcessSystem = start_node(
        spec, node=name, bind=("127.0.0.1", port), **{"cookie": COOKIE, **options}
    )
    node.wait_ready(DEADLINE_S)
    return node


def test_two_nodes_meet_and_exchange_messages_both_ways(start_node: StartNode) -> None:
    port = free_port()
    one = cluster_node(start_node, "one", port)
    two = cluster_node(start_node, "two", free_port(), join=("127.0.0.1", port))
    await_notice(one, "control", PeerUp, node="two")
    await_notice(two, "control", PeerUp, node="one")
    one.send("control", ("send_to_peer", "two", "control", "hello"))
    await_report(two, ("received", "hello", "control", "one"))
    two.send("control", ("send_to_peer", "one", "control", "hello back"))
    await_report(one, ("received", "hello back", "control", "two"))


def test_a_node_that_joins_through_the_second_is_reachable_from_the_first(start_node: StartNode) -> None:
    first, second = free_port(), free_port()
    one = cluster_node(start_node, "one", first)
    cluster_node(start_node, "two", second, join=("127.0.0.1", first))
    three = cluster_node(start_node, "three", free_port(), join=("127.0.0.1", second))
    await_notice(three, "control", PeerUp, node="one")
    await_notice(one, "control", PeerUp, node="three")
    one.send("control", ("send_to_peer", "three", "control", "across"))
    await_report(three, ("received", "across", "control", "one"))


def test_a_node_that_stops_in_order_says_goodbye_and_may_come_back(start_node: StartNode) -> None:
    first, second = free_port(), free_port()
    one = cluster_node(start_node, "one", first)
    two = cluster_node(start_node, "two", second, join=("127.0.0.1", first))
    away = await_notice(one, "control", PeerUp, node="two")
    two.shutdown(DEADLINE_S)
    await_notice(one, "control", PeerDown, node="two", incarnation=away.incarnation)
    cluster_node(start_node, "two", second, join=("127.0.0.1", first))
    back = await_notice(one, "control", PeerUp, node="two")
    assert back.incarnation != away.incarnation


def test_peers_notice_a_killed_node(start_node: StartNode) -> None:
    port = free_port()
    one = cluster_node(start_node, "one", port)
    two = cluster_node(start_node, "two", free_port(), join=("127.0.0.1", port))
    await_notice(one, "control", PeerUp, node="two")
    os.kill(two.own_pids()["supervisor"], signal.SIGKILL)
    await_notice(one, "control", PeerDown, node="two")


def test_nodes_of_different_cookies_refuse_each_other(
    start_node: StartNode, capfd: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    one = cluster_node(start_node, "one", port)
    two = cluster_node(start_node, "two", free_port(), join=("127.0.0.1", port), cookie=OTHER_COOKIE)
    unanswered = await_event(two, lambda event: isinstance(event, JoinUnanswered))
    assert f"no node with this cookie answered at 127.0.0.1:{port}" in unanswered.reason
    assert two.alive
    one.send("control", ("ping", 1))
    seen: list[object] = []
    while "pong" not in repr(seen):
        seen.append(one.receive(DEADLINE_S))
    assert not [event for event in seen if isinstance(event, PeerUp)]
    one.shutdown(DEADLINE_S)
    two.shutdown(DEADLINE_S)
    assert "dropped a connection from 127.0.0.1" in capfd.readouterr().err


def test_a_busy_port_is_refused_with_one_line(start_node: StartNode) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(
            ProcessSystemError, match=f"^port {port} is in use at 127.0.0.1: stop what listens there.*$"
        ):
            cluster_node(start_node, "one", port)


def test_a_second_node_does_not_join_the_first_one_by_its_port(start_node: StartNode) -> None:
    port = free_port()
    cluster_node(start_node, "one", port)
    with pytest.raises(ProcessSystemError, match=f"port {port} is in use"):
        cluster_node(start_node, "two", port)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bind": ("127.0.0.1", 4711)}, "needs a cookie"),
        ({"bind": ("0.0.0.0", 4711), "cookie": COOKIE}, "names no node that others could call"),
        ({"bind": ("192.0.2.1", 4711), "cookie": COOKIE}, "is no address of this machine"),
        ({"bind": ("127.0.0.1", 0), "cookie": COOKIE}, "port 0 cannot be used"),
        ({"join": ("192.0.2.1", 4711), "cookie": COOKIE}, "bind to an address as well"),
    ],
)
def test_unusable_addresses_are_refused_with_one_line(
    start_node: StartNode, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ProcessSystemError, match=message) as refusal:
        start_node(ProcessSpec("control", process_mains.echo), **options)
    assert "\n" not in str(refusal.value)
