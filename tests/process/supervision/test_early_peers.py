"""A node that starts where another one was gets that node's messages before it is ready for any."""

from __future__ import annotations

import pytest

from continuum_supervision.process.root_supervisor import ProcessSupervisor
from continuum_supervision.process.wire import Goodbye, Hello, NodeCard, PeerDeliveries

PEER = NodeCard("south", "127.0.0.1", 7700, "of before")


@pytest.mark.parametrize(
    "message",
    [Hello(PEER, None), Goodbye(PEER, "of before"), PeerDeliveries(PEER, "of before", (("a", b"b"),))],
)
def test_a_message_for_the_node_before_ends_no_node(message: object) -> None:
    starting = ProcessSupervisor.__new__(ProcessSupervisor)
    starting._peers = None

    starting._handle(message)
